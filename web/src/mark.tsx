// The mark: a funnel seen a little from above.
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <circle cx="16" cy="16" r="15" />
      <g>
        <ellipse cx="16" cy="11.500" rx="9.500" ry="3.800" />
        <path d="M9.200 14.300c1.500 4.200 5.300 4.700 6.800 11.700 1.500-7 5.300-7.500 6.800-11.700" />
      </g>
    </svg>
  );
}
