// One picture of the day: queries by slot, stacked by outcome. Drag over it, click a bar, or use the arrow keys to pick a time.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { between, compact, count, dayOf, duration, percent, timeOfDay, windowWords } from "./format.ts";
import { outcomes, outcomeWord } from "./outcome.ts";
import { Loaded, Panel } from "./parts.tsx";
import { regroup, stacked, sumOf, within } from "./slots.ts";
import { brushed, history, now, span, status, type History, type TimeSpan } from "./state.ts";
import type { Span } from "./types.ts";

const spanS: Record<Span, number> = { "1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400 };
const spanWord: Record<Span, string> = { "1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days" };
const height = 200;
const dragMin = 4; // pixels; less is a click
const coarse = matchMedia("(pointer: coarse)");

function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Labels under the axis: the hour, at midnight the day, and days alone when the picture is wide. */
function tickWord(t: number, wide: boolean): string {
  const clock = timeOfDay(t);
  return wide || clock === "00:00" ? dayOf(t) : clock;
}

interface Plot {
  bars: History;
  range: TimeSpan;
}

function options(
  width: number,
  plot: { current: Plot },
  on: { hover(i: number | null): void; pick(b: TimeSpan | null): void },
): uPlot.Options {
  const line = cssColour("--line");
  const text = cssColour("--muted");
  const bars = uPlot.paths.bars!({ size: [0.8, 48], align: 1 });
  const series = (name: string): uPlot.Series => ({ fill: cssColour(name), width: 0, paths: bars, points: { show: false } });
  const axis: uPlot.Axis = {
    stroke: text,
    font: "12px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  const slotAt = (u: uPlot, px: number): number => {
    const { slots, slotS } = plot.current.bars;
    const t = u.posToVal(px, "x");
    const first = slots[0]?.timestamp ?? 0;
    return first + Math.floor((t - first) / slotS) * slotS;
  };
  return {
    width,
    height,
    padding: [12, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: dragMin } },
    scales: {
      x: { time: true, range: () => [plot.current.range.from, plot.current.range.until] },
      y: { range: (_u, _min, max) => [0, Math.max(4, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 4,
        grid: { show: false },
        space: 64,
        values: (_u, t) => t.map((v) => tickWord(v, plot.current.range.until - plot.current.range.from > 2 * 86_400)),
      },
      {
        ...axis,
        size: 46,
        gap: 6,
        space: 44,
        incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7].map((e) => n * 10 ** e)).sort((a, b) => a - b),
        values: (_u, v) => v.map(compact),
      },
    ],
    series: [{}, series("--other"), series("--cached"), series("--forwarded"), series("--blocked")],
    hooks: {
      setCursor: [
        (u) => {
          const left = u.cursor.left ?? -1;
          if (left < 0) return on.hover(null);
          const i = plot.current.bars.slots.findIndex((s) => s.timestamp === slotAt(u, left));
          on.hover(i < 0 ? null : i);
        },
      ],
      setSelect: [
        (u) => {
          if (u.select.width < 1) return;
          const from = slotAt(u, u.select.left);
          on.pick({ from, until: slotAt(u, u.select.left + u.select.width) + plot.current.bars.slotS });
        },
      ],
      ready: [
        (u) => {
          let pressedAt = 0;
          u.over.addEventListener("mousedown", (e) => void (pressedAt = e.clientX));
          u.over.addEventListener("click", (e) => {
            const dragged = Math.abs(e.clientX - pressedAt) >= dragMin;
            if (dragged || u.cursor.left === undefined || u.cursor.left < 0) return;
            const from = slotAt(u, u.cursor.left);
            on.pick({ from, until: from + plot.current.bars.slotS });
          });
        },
      ],
    },
  };
}

function Chart({ bars, range, hover }: { bars: History; range: TimeSpan; hover: (i: number | null) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const plot = useRef<Plot>({ bars, range });
  const scheme = useSignal(0);
  plot.current = { bars, range };

  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = () => void scheme.value++;
    dark.addEventListener("change", again);
    return () => dark.removeEventListener("change", again);
  }, []);

  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const pick = (b: TimeSpan | null) => void (brushed.value = b);
    const u = new uPlot(
      options(at.clientWidth, plot, { hover, pick }),
      stacked(plot.current.bars.slots) as uPlot.AlignedData,
      at,
    );
    chart.current = u;
    const size = new ResizeObserver(() => u.setSize({ width: at.clientWidth, height }));
    size.observe(at);
    return () => {
      size.disconnect();
      u.destroy();
      chart.current = null;
    };
  }, [scheme.value]);

  useEffect(() => {
    chart.current?.setData(stacked(bars.slots) as uPlot.AlignedData);
  }, [bars, range.from, range.until]);

  const b = brushed.value;
  useEffect(() => {
    const u = chart.current;
    if (!u) return;
    const left = b ? u.valToPos(Math.max(b.from, range.from), "x") : 0;
    const right = b ? u.valToPos(Math.min(b.until, range.until), "x") : 0;
    u.setSelect({ left, top: 0, width: Math.max(0, right - left), height: b ? u.over.clientHeight : 0 }, false);
  }, [b, bars, range.from, range.until, scheme.value]);

  return <div class="chart" ref={box} aria-hidden="true" />;
}

/** The numbers of what is pointed at, else of what is brushed, else of all; it is the legend too. */
function Readout({ shown, from, until, title }: { shown: History; from: number; until: number; title: string }) {
  const s = sumOf(within(shown.slots, from, until));
  return (
    <div class="readout">
      <p>
        <b>{count(s.total)}</b> queries <span class="muted">{title}</span>
      </p>
      <ul>
        {outcomes.map(
          (o) =>
            (o !== "other" || s.other > 0) && (
              <li key={o}>
                <i class={"swatch " + o} aria-hidden="true" />
                {outcomeWord[o]} <b>{count(s[o])}</b> <span class="muted">{percent(s[o], s.total)}</span>
              </li>
            ),
        )}
      </ul>
    </div>
  );
}

/** The same in rows of an hour or more, for those who would rather read. */
function Table({ shown }: { shown: History }) {
  const rows = regroup(shown.slots, shown.slotS, 30);
  return (
    <details class="as-table">
      <summary>As a table</summary>
      <div class="scroll-x">
        <table>
          <caption class="hidden">Queries by time and outcome</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Queries</th>
              {outcomes.map((o) => (
                <th key={o} scope="col">
                  {outcomeWord[o]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...rows.slots].reverse().map((s) => {
              const sum = sumOf([s]);
              return (
                <tr key={s.timestamp}>
                  <th scope="row">
                    {dayOf(s.timestamp)} {timeOfDay(s.timestamp)}
                  </th>
                  <td>{count(sum.total)}</td>
                  {outcomes.map((o) => (
                    <td key={o}>{count(sum[o])}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function Spans() {
  const spans = status.data.value?.spans ?? [];
  if (spans.length < 2) return null;
  const choose = (s: Span) => {
    span.value = s;
    brushed.value = null;
    void history.load();
  };
  return (
    <div class="segments" role="group" aria-label="Time shown">
      {spans.map((s) => (
        <button key={s} type="button" aria-pressed={span.value === s} onClick={() => choose(s)}>
          {spanWord[s]}
        </button>
      ))}
    </div>
  );
}

function Picture({ data }: { data: History }) {
  const at = useSignal<number | null>(null);
  const bars = useComputed(() =>
    regroup(history.data.value?.slots ?? data.slots, history.data.value?.slotS ?? data.slotS, 180),
  ).value;
  const last = bars.slots[bars.slots.length - 1];
  const until = last ? last.timestamp + bars.slotS : Math.ceil(now.value / 600) * 600;
  const range = { from: until - spanS[span.value] - (bars.slotS === 600 ? 600 : 0), until };
  const b = brushed.value;
  const hovered = at.value === null ? undefined : bars.slots[at.value];

  const shown: TimeSpan = hovered ? { from: hovered.timestamp, until: hovered.timestamp + bars.slotS } : (b ?? range);
  const title = hovered || b ? between(shown.from, shown.until, now.value) : windowWords(0, spanS[span.value]);
  const sum = sumOf(within(bars.slots, shown.from, shown.until));
  const spoken = `${hovered || b ? between(shown.from, shown.until, now.value) : title}: ${count(sum.total)} queries, ${count(sum.blocked)} blocked`;

  const keys = (e: KeyboardEvent) => {
    const n = bars.slots.length;
    const step = e.key === "ArrowLeft" ? -1 : e.key === "ArrowRight" ? 1 : e.key === "PageUp" ? -6 : e.key === "PageDown" ? 6 : 0;
    if (step !== 0 && n > 0) at.value = Math.max(0, Math.min(n - 1, (at.value ?? n) + step));
    else if (e.key === "Home") at.value = 0;
    else if (e.key === "End") at.value = n - 1;
    else if (e.key === "Enter" && hovered) brushed.value = shown;
    else if (e.key === "Escape") at.value = brushed.value = null;
    else return;
    e.preventDefault();
  };

  return (
    <>
      <Readout shown={bars} from={shown.from} until={shown.until} title={title} />
      <div
        class="chart-box"
        role="slider"
        tabIndex={0}
        aria-label="Time on the timeline; Enter picks it, Escape picks none"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, bars.slots.length - 1)}
        aria-valuenow={at.value ?? Math.max(0, bars.slots.length - 1)}
        aria-valuetext={spoken}
        onKeyDown={keys}
        onBlur={() => void (at.value = null)}
      >
        <Chart bars={bars} range={range} hover={(i) => void (at.value = i)} />
      </div>
      <div class="chart-foot">
        {b ? (
          <p class="chosen">
            The log below shows {between(b.from, b.until, now.value)}.{" "}
            <button type="button" onClick={() => void (brushed.value = null)}>
              Show all times
            </button>
          </p>
        ) : (
          <p class="muted">
            One bar is {duration(bars.slotS)}. {coarse.matches ? "Tap a bar" : "Click a bar or drag over some"} to see only those
            queries below.
          </p>
        )}
        <Table shown={bars} />
      </div>
    </>
  );
}

export function Timeline() {
  return (
    <Panel id="timeline" title="Queries over time" aside={<Spans />}>
      <Loaded
        of={history}
        lines={7}
        empty={(h) =>
          h.slots.every((s) => s.total === 0) && (
            <p>No queries {windowWords(0, spanS[span.value])}. They appear here as soon as a device asks.</p>
          )
        }
      >
        {(h) => <Picture data={h} />}
      </Loaded>
    </Panel>
  );
}
