import { expect, test } from 'vitest';
import { interpolate } from './interpolate';
import { dashboardAddress, type LinkScope, resolveDashboardLink, resolveLink } from './links';
import { safeAddress } from './markdown';

const SCOPE: LinkScope = {
  values: new Map([
    ['job', { several: ['a', 'b'], chosen: ['$__all'] }],
    ['instance', ['x y']],
  ]),
  window: { from: 60, to: 120 },
  range: { from: 'now-1h', to: 'now' },
  name: 'eth0',
  labels: { device: 'eth0/1' },
  text: '12 %',
  raw: 0.12,
  fields: { Host: 'my server', job: 'node' },
};

test.each([
  ['/d/host?var-instance=${__data.fields.Host}', '/dashboard?uid=host&var-instance=my+server'],
  ['/d/host/any-slug?var-job=${__data.fields["job"]}', '/dashboard?uid=host&var-job=node'],
  ['/d/host?var-job=${__data.fields[1]}', '/dashboard?uid=host&var-job=node'],
  ['/d/host?var-device=${__field.labels.device}', '/dashboard?uid=host&var-device=eth0%2F1'],
  ['/d/host?x=${__value.text}&y=${__value.raw}&z=${__field.name}', '/dashboard?uid=host&x=12+%25&y=0.12&z=eth0'],
  ['/d/host?${__url_time_range}', '/dashboard?uid=host&from=now-1h&to=now'],
  ['/d/host?${job:queryparam}&${instance:queryparam}', '/dashboard?uid=host&var-job=%24__all&var-instance=x+y'],
  ['/d/host?var-instance=$instance&from=${__from}', '/dashboard?uid=host&var-instance=x+y&from=60000'],
  ['https://docs.example/?q=${__value.text}', 'https://docs.example/?q=12%20%25'],
])('%s leads to %s', (url, href) => {
  expect(resolveLink({ url }, SCOPE)?.href).toBe(href);
});

test.each(['javascript:alert(1)', '//elsewhere.example', '/\\elsewhere.example', 'data:text/html,x', ''])(
  '%s is no link',
  (url) => {
    expect(resolveLink({ url }, SCOPE)).toBeNull();
  },
);

test('a value at the start of an address cannot make it run something', () => {
  expect(resolveLink({ url: '${__value.text}' }, { ...SCOPE, text: 'javascript:alert(1)' })).toBeNull();
});

test('a link of the dashboard takes time and variables along if it says so', () => {
  const link = { title: 'Alerts', url: '/d/alerts', keepTime: true, includeVars: true };
  expect(resolveDashboardLink(link, SCOPE)?.href).toBe(
    '/dashboard?uid=alerts&from=now-1h&to=now&var-job=%24__all&var-instance=x+y',
  );
});

test('a uid in the parameters does not replace the one of the path', () => {
  expect(dashboardAddress('/d/host?uid=other')).toBe('/dashboard?uid=host');
  expect(dashboardAddress('/docs')).toBeNull();
});

test.each([
  ['https://example.org/a', 'https://example.org/a'],
  ['/d/host', '/dashboard?uid=host'],
  ['/docs', '/docs'],
  ['javascript:alert(1)', null],
  [' javascript:alert(1)', null],
  ['//elsewhere.example', null],
])('%s in a text leads to %s', (address, href) => {
  expect(safeAddress(address)).toBe(href);
});

test.each([
  ['up{job=~"$job"}', { several: ['a.b'] }, 'up{job=~"a\\\\.b"}'],
  ['up{job=~"$job"}', { several: ['a', 'b'] }, 'up{job=~"(a|b)"}'],
  ['up{job=~"$job"}', { several: ['a', 'b'], all: '.*' }, 'up{job=~".*"}'],
  ['up{job=~"${job:pipe}"}', { several: ['a', 'b'] }, 'up{job=~"a|b"}'],
])('%s with several values', (text, job, filled) => {
  expect(interpolate(text, new Map([['job', job]]))).toBe(filled);
});
