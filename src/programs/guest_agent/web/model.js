// model: what the page shows, computed from a status document. Pure: no DOM, no clock, no network. Its functions take
// documents of any version: a missing list is empty, and an unknown state is shown as it is.

const tones = {
  open: 'good', applied: 'good', foreign: 'good', ok: 'good', synced: 'good',
  pending: 'waiting', retrying: 'waiting', removing: 'waiting', leftover: 'waiting', waiting: 'waiting',
  awaiting: 'waiting', syncing: 'waiting',
  conflict: 'bad', refused: 'bad', down: 'bad', degraded: 'bad', restricted: 'bad', shadowed: 'bad',
  unsupported: 'bad',
};
const urgency = ['good', 'quiet', 'waiting', 'bad'];
const besideTheHost = new Set(['loopback', 'local-listeners', 'wsl-proxy']);  // peers; the others are the host's
const securePorts = new Set([443, 6443, 8443]);

// The colour of a state: 'good', 'waiting', 'bad', or 'quiet' for one that needs no attention or is not known.
export function toneOf(state) {
  return Object.hasOwn(tones, state) ? tones[state] : 'quiet';
}

export function keyOf(port) {
  return `${port.protocol} ${port.address}:${port.port}`;
}

const holds = (peer) => peer.state === 'applied' || peer.state === 'foreign';

// The state of a port over all its peers: that of the peer that needs most attention, or 'open'.
export function stateOf(port) {
  if (port.decision !== 'exposed') return port.decision;
  const peers = port.peers ?? [];
  if (peers.length === 0) return 'pending';
  const worst = peers.reduce((a, b) => (urgency.indexOf(toneOf(b.state)) > urgency.indexOf(toneOf(a.state)) ? b : a));
  return holds(worst) ? 'open' : worst.state;
}

// Whether the host's peer holds the port; for a port of the other distributions alone, theirs.
function isOpen(port) {
  const peers = port.peers ?? [];
  const hosts = peers.filter((peer) => !besideTheHost.has(peer.name));
  return (hosts.length > 0 ? hosts : peers.filter((peer) => peer.name === 'wsl-proxy')).some(holds);
}

// The address to open in a browser; undefined if the port is not TCP, or not open: another program may answer there.
export function linkOf(port) {
  if (port.protocol !== 'tcp' || port.decision !== 'exposed' || !isOpen(port)) return undefined;
  const everywhere = ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(port.address);
  const address = String(port.address);
  const host = everywhere ? 'localhost' : address.includes(':') ? `[${address}]` : address;
  return `${securePorts.has(port.port) ? 'https' : 'http'}://${host}:${port.port}`;
}

// Where the port leads, beside its name.
export function detailsOf(port) {
  const details = [];
  if (port.name && port.owner) details.push(String(port.owner).slice(0, 12));
  if (port.guest_port) details.push(`port ${port.guest_port} in the VM`);
  if (port.container_port && port.container_port !== port.port) details.push(`container port ${port.container_port}`);
  return details.join(', ');
}

export function peerText(peer) {
  const retry = peer.retry_in_ms > 0 ? `again in ${Math.ceil(peer.retry_in_ms / 1000)} s` : '';
  return [peer.reason, retry].filter(Boolean).join(', ');
}

// Ports in the order of their numbers.
export function sorted(ports) {
  const order = (a, b) => a.port - b.port || keyOf(a).localeCompare(keyOf(b));
  return [...(ports ?? [])].sort(order);
}

// Whether every word of the query occurs in what the page shows of the port.
export function matches(port, query) {
  const peers = (port.peers ?? []).map((peer) => `${peer.name} ${peer.state} ${peer.reason ?? ''}`);
  const text = [keyOf(port), port.name, port.owner, port.source, port.rule, stateOf(port), port.reason, detailsOf(port),
    ...peers].join(' ').toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// What sources found and do not publish, with the reason.
export function refusalsOf(status) {
  return (status.sources ?? []).flatMap((source) =>
    (source.refusals ?? []).map((refusal) => ({source: source.name, ...refusal})));
}

const counted = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

// "3 ports, 1 needs attention"
export function summaryOf(status) {
  const ports = status.ports ?? [];
  const tonesOf = ports.map((port) => toneOf(stateOf(port)));
  const bad = tonesOf.filter((tone) => tone === 'bad').length;
  const waiting = tonesOf.filter((tone) => tone === 'waiting').length;
  const parts = [counted(ports.length, 'port')];
  if (bad > 0) parts.push(`${bad} ${bad === 1 ? 'needs' : 'need'} attention`);
  if (waiting > 0) parts.push(`${waiting} in progress`);
  return parts.join(', ');
}

// Splits what has arrived into whole lines and the start of the next one.
export function takeLines(text) {
  const lines = text.split('\n');
  const rest = lines.pop();
  return {lines: lines.filter((line) => line !== ''), rest};
}

// How long to wait before the next attempt, in milliseconds. `random` from 0 to 1 spreads the clients of one server.
export function retryDelay(failures, random) {
  const longest = 15000;
  return Math.min(longest, 500 * 2 ** Math.min(failures, 10)) * (0.75 + random / 4);
}
