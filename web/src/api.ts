// The door to the server: one function for every call, errors of one kind, the CSRF token kept beside the cookie.
import type { Session } from "./types.ts";

export type Failure = "offline" | "auth" | "absent" | "refused";

/** offline: no answer · auth: log in first · absent: this server has no such route · refused: it said no, and why. */
export class ApiError extends Error {
  constructor(
    readonly kind: Failure,
    message: string,
    readonly status = 0,
    readonly hint: string | null = null,
    readonly body: unknown = null, // all that the server said
  ) {
    super(message);
  }
}

const tokenKey = "sinkhole.csrf";
const timeoutMs = 15_000;
let token: string | null = null;

function storedToken(): string | null {
  try {
    return localStorage.getItem(tokenKey);
  } catch {
    return null; // storage may be forbidden; the token then lasts as long as the page
  }
}

export function keepToken(csrf: string | null): void {
  token = csrf;
  try {
    if (csrf === null) localStorage.removeItem(tokenKey);
    else localStorage.setItem(tokenKey, csrf);
  } catch {
    // see above
  }
}

export function headers(): Record<string, string> {
  const csrf = token ?? storedToken();
  return csrf === null ? {} : { "X-CSRF-TOKEN": csrf };
}

interface ErrorBody {
  error?: { message?: unknown; hint?: unknown };
}

function failureOf(status: number, body: unknown): ApiError {
  const e = (body as ErrorBody | null)?.error;
  const said = typeof e?.message === "string" ? e.message : `the server answered ${status}`;
  const hint = typeof e?.hint === "string" ? e.hint : null;
  const kind: Failure = status === 401 ? "auth" : status === 404 || status === 405 || status === 501 ? "absent" : "refused";
  return new ApiError(kind, said, status, hint, body);
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    return await fetch("/api/" + path, {
      method,
      headers: body === undefined ? headers() : { ...headers(), "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: stop.signal,
    });
  } catch {
    throw new ApiError("offline", stop.signal.aborted ? "no answer in 15 seconds" : "sinkhole cannot be reached");
  } finally {
    clearTimeout(timer);
  }
}

async function parsed(r: Response): Promise<unknown> {
  if (r.status === 204) return null;
  try {
    return await r.json();
  } catch {
    return null;
  }
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const r = await send(method, path, body);
  const answer = await parsed(r);
  if (!r.ok) throw failureOf(r.status, answer);
  if (answer === null && r.status !== 204) throw new ApiError("refused", "the answer is not JSON", r.status);
  return answer as T;
}

/** An answer that is not JSON. */
export async function text(path: string): Promise<string> {
  const r = await send("GET", path);
  if (!r.ok) throw failureOf(r.status, await parsed(r));
  return r.text();
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

interface AuthBody {
  session: Session;
}

/** Who we are. A 401 has a session too: it says whether a one-time code is wanted. */
async function auth(method: string, body?: unknown): Promise<Session> {
  const r = await send(method, "auth", body);
  const answer = (await parsed(r)) as AuthBody | null;
  if (answer?.session === undefined) throw failureOf(r.status, answer);
  if (answer.session.valid) keepToken(answer.session.csrf ?? token ?? storedToken());
  return answer.session;
}

export const session = (): Promise<Session> => auth("GET");

export const login = (password: string, totp: number | null): Promise<Session> =>
  auth("POST", totp === null ? { password } : { password, totp });

export async function logout(): Promise<void> {
  try {
    await send("DELETE", "auth");
  } finally {
    keepToken(null);
  }
}
