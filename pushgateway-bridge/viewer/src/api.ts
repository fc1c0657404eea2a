/** What the bridge serves, all on this page's own origin. Every failure leaves as a RequestFailed with a plain text. */

import type { Dashboard, DashboardEntry } from './model';
import type { TimeWindow } from './timerange';

const TIMEOUT_MS = 30_000;
const RETRY_MS = 300;

export class RequestFailed extends Error {
  constructor(
    message: string,
    /** Of the answer, if there was one. */
    readonly status?: number,
  ) {
    super(message);
  }
}

export interface RawSeries {
  metric: Record<string, string>;
  values: [number, string][];
}

export interface ViewerSettings {
  grafana_url: string | null;
}

export const fetchDashboards = (): Promise<DashboardEntry[]> => getJson('/api/v1/dashboards');

export const fetchDashboard = (uid: string): Promise<Dashboard> =>
  getJson(`/api/v1/dashboards/${encodeURIComponent(uid)}`);

export const fetchSettings = (): Promise<ViewerSettings> => getJson('/api/v1/viewer/settings');

/** Series over the window, a value for each step at which there is one. */
export async function queryRange(expr: string, window: TimeWindow, stepSeconds: number, signal: AbortSignal) {
  const parameters = { query: expr, start: window.from, end: window.to, step: stepSeconds };
  const data = await prometheus<{ result: RawSeries[] }>('query_range', parameters, signal);
  return data.result;
}

/** Series with one value each, as of *time*. A scalar answer is one series without labels. */
export async function queryInstant(expr: string, time: number, signal: AbortSignal): Promise<RawSeries[]> {
  const data = await prometheus<InstantData>('query', { query: expr, time }, signal);
  if (data.resultType === 'scalar') return [{ metric: {}, values: [data.result] }];
  if (data.resultType === 'vector') return data.result.map(({ metric, value }) => ({ metric, values: [value] }));
  throw new RequestFailed(`the query gives a ${data.resultType}, which cannot be shown`);
}

type InstantData =
  | { resultType: 'vector'; result: { metric: Record<string, string>; value: [number, string] }[] }
  | { resultType: 'scalar'; result: [number, string] }
  | { resultType: 'matrix' | 'string'; result: unknown };

export function labelValues(label: string, selector: string | null, window: TimeWindow, signal: AbortSignal) {
  const parameters: Record<string, string | number> = { start: window.from, end: window.to };
  if (selector !== null) parameters['match[]'] = selector;
  return prometheus<string[]>(`label/${encodeURIComponent(label)}/values`, parameters, signal);
}

async function prometheus<T>(path: string, parameters: Record<string, string | number>, signal: AbortSignal) {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  const answer = await getJson<{ status: string; data: T; error?: string }>(
    `/api/v1/prometheus/${path}?${query}`,
    signal,
  );
  if (answer.status !== 'success') throw new RequestFailed(answer.error ?? 'Prometheus gave no reason');
  return answer.data;
}

async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const either = signal ? AbortSignal.any([signal, limit]) : limit;
  let answer: Answer;
  try {
    answer = await getTwice(path, either);
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new RequestFailed(`no answer within ${TIMEOUT_MS / 1000} seconds`);
    throw new RequestFailed('the bridge cannot be reached');
  }
  const body = parsed(answer.text);
  if (!answer.ok) throw new RequestFailed(reasonIn(body) ?? `the bridge answered ${answer.status}`, answer.status);
  if (body === undefined) throw new RequestFailed('the answer is not JSON');
  return body as T;
}

interface Answer {
  ok: boolean;
  status: number;
  text: string;
}

/** A broken connection gets a second try: browsers break all of them when a network interface comes or goes. */
async function getTwice(path: string, signal: AbortSignal): Promise<Answer> {
  try {
    return await get(path, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return get(path, signal);
  }
}

async function get(path: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(path, { headers: { Accept: 'application/json' }, signal });
  return { ok: response.ok, status: response.status, text: await response.text() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Prometheus puts the reason under `error`, the bridge under `detail`, `message` or `error`. */
function reasonIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const fields = body as Record<string, unknown>;
  return [fields['error'], fields['detail'], fields['message']].find((text) => typeof text === 'string') as
    | string
    | undefined;
}
