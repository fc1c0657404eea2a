import { afterEach, expect, test, vi } from 'vitest';
import type { VariableDefinition } from './model';
import { chosenValues, resolveVariables, unknownChoices } from './variables';

const WINDOW = { from: 1_700_000_000, to: 1_700_604_800 };

/** Answers every request with one series, and keeps what was asked. */
function prometheusAnswers(metric: Record<string, string>): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(new URLSearchParams(path.split('?')[1]).get('query') ?? '');
    const data = { resultType: 'vector', result: [{ metric, value: [WINDOW.to, '1'] }] };
    return new Response(JSON.stringify({ status: 'success', data }));
  });
  return asked;
}

const resolved = (definition: VariableDefinition, address = '') =>
  resolveVariables([definition], new URLSearchParams(address), WINDOW, new AbortController().signal);

afterEach(() => vi.unstubAllGlobals());

test('the query of a variable knows how long the time range is', async () => {
  const asked = prometheusAnswers({ rollup: '_avg1h' });
  await resolved({ name: 'rollup', type: 'query', query: 'query_result(vector($__range_s) > 172800)' });

  expect(asked).toEqual(['vector(604800) > 172800']);
});

test.each([
  ['/rollup="([^"]+)"/', '_avg1h'],
  ['/^(\\w+)\\{/', 'chosen'],
  ['/\\} (\\S+) 1700604800000$/', '1'],
  ['', 'chosen{rollup="_avg1h",of="cpu"} 1 1700604800000'],
])('the regular expression %s reads a series as Grafana writes it', async (regex, option) => {
  prometheusAnswers({ __name__: 'chosen', rollup: '_avg1h', of: 'cpu' });
  const [variable] = await resolved({ name: 'rollup', type: 'query', query: 'query_result(chosen)', regex });

  expect(variable!.options).toEqual([option]);
});

test.each([
  [true, '_avg1h'],
  [false, 'of-the-address'],
])('the address does not choose a variable that is kept out of it: %s', async (skipUrlSync, chosen) => {
  prometheusAnswers({ rollup: '_avg1h' });
  const query = 'query_result(chosen)';
  const definition = { name: 'rollup', type: 'query', query, regex: '/rollup="([^"]+)"/', skipUrlSync };
  const variables = await resolved(definition, 'var-rollup=of-the-address');

  expect(chosenValues(variables).get('rollup')).toEqual([chosen]);
});

test.each([
  [['a'], {}, []],
  [['z'], {}, ['Host z']],
  [['a', 'y', 'z'], {}, ['Host y', 'Host z']],
  [['$__all'], {}, []],
  [['z'], { label: undefined }, ['instance z']],
  [['z'], { hide: 2 }, []],
  [['z'], { type: 'textbox' }, []],
])('what was chosen and is not there is named: %j %j', (chosen, changes, unknown) => {
  const definition = { name: 'instance', label: 'Host', type: 'query', ...changes } as VariableDefinition;

  expect(unknownChoices([{ definition, options: ['a', 'b'], chosen }])).toEqual(unknown);
});
