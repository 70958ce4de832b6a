// page: puts what model.js computes into the document, and follows the agent's event stream. The two files are one
// script. Text from the agent, such as a container's name, becomes text nodes and attributes only, never HTML.

const mostRows = 1000;
const mostBuffered = 64 << 20;  // characters of one document
const silence = 25000;          // the agent sends a document every ten seconds at least
const announcePause = 5000;
const hiddenPause = 3000;       // then a hidden page leaves its connection to others: a browser has six for one server

const find = (id) => document.getElementById(id);
const search = find('search');
let status;                // the last document
let failures = 0;          // in a row
const shown = new Map();   // by key: the row of a port, and the text that it was made of

// make('td', {class: 'x'}, child, 'text') makes an element. Children that are empty are left out.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== undefined && child !== ''));
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const stateWord = (state) => make('span', {class: `state ${toneOf(state)}`}, String(state ?? 'unknown'));
const note = (text, kind = 'dim') => (text ? make('span', {class: `note ${kind}`}, String(text)) : undefined);

function cell(column, ...children) {
  return make('td', {role: 'cell', 'data-column': column}, make('div', {}, ...children));
}
function headCell(column, ...children) {
  return make('th', {role: 'rowheader', scope: 'row', 'data-column': column}, make('div', {}, ...children));
}
const row = (...cells) => make('tr', {role: 'row'}, ...cells);

function portCell(port) {
  const text = `${port.port}/${port.protocol}`;
  const address = linkOf(port);
  const link = address && make('a', {href: address, target: '_blank', rel: 'noopener noreferrer'}, address);
  return headCell('Port', text, link && make('span', {class: 'note'}, link), note(port.address));
}

function peersCell(port) {
  const items = (port.peers ?? []).map((peer) =>
    make('li', {}, `${peer.name}: `, stateWord(peer.state), note(peerText(peer), 'reason')));
  return cell('Peers', items.length > 0 ? make('ul', {}, ...items) : '–');
}

function portRow(port) {
  return row(
    portCell(port),
    cell('Name', port.name || port.owner || '–', note(detailsOf(port))),
    cell('Source', port.source || '–', note(port.rule)),
    cell('State', stateWord(stateOf(port)), note(port.reason, 'reason')),
    peersCell(port));
}

const sourceRow = (source) => row(
  headCell('Source', source.name),
  cell('State', stateWord(source.state), note(source.reason, 'reason')),
  cell('Ports', String(source.bindings ?? 0)));

const peerRow = (peer) => row(
  headCell('Peer', peer.name),
  cell('State', stateWord(peer.state), note(peerText(peer), 'reason')),
  cell('Held', String(peer.applied ?? 0)));

const refusalRow = (refusal) => row(
  headCell('What', refusal.what || '–', note(refusal.owner)),
  cell('Source', refusal.source),
  cell('Reason', refusal.why || '–'));

// A row stays the same element while its text does, so that focus and selection stay where they are.
function rowFor(port) {
  const key = keyOf(port);
  const text = JSON.stringify(port);
  const before = shown.get(key);
  if (before?.text === text) return before.row;
  const made = portRow(port);
  if (!before) made.classList.add('new');
  shown.set(key, {text, row: made});
  return made;
}

function showPorts() {
  const found = sorted(status.ports).filter((port) => matches(port, search.value));
  const focused = document.activeElement?.getAttribute('href');
  const rows = found.slice(0, mostRows).map(rowFor);
  const body = find('ports').tBodies[0];
  if (rows.length !== body.rows.length || rows.some((one, i) => one !== body.rows[i])) body.replaceChildren(...rows);
  const kept = new Set(rows);
  for (const [key, one] of shown) if (!kept.has(one.row)) shown.delete(key);
  if (focused && document.activeElement === document.body)
    [...body.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
  showCounts(found.length);
}

function showCounts(found) {
  const all = status.ports?.length ?? 0;
  const hidden = found > mostRows ? `; the first ${mostRows} are shown` : '';
  setText(find('summary'), (found < all ? `${found} of ` : '') + summaryOf(status) + hidden);
  find('empty').hidden = found > 0;
  setText(find('empty'), all > 0 ? 'No port matches the search.' : 'No port is published.');
}

const filled = new Map();  // by table: the text that its rows were made of
function fill(id, items, makeRow) {
  const table = find(id);
  const text = JSON.stringify(items);
  if (filled.get(id) === text) return;
  filled.set(id, text);
  table.hidden = items.length === 0;
  table.tBodies[0].replaceChildren(...items.slice(0, mostRows).map(makeRow));
}

function show() {
  showPorts();
  fill('sources', status.sources ?? [], sourceRow);
  fill('peers', status.peers ?? [], peerRow);
  fill('refusals', refusalsOf(status), refusalRow);
  setText(find('agent'), `Guest agent ${status.version}, mode ${status.mode}, running since ${status.started}`);
  document.title = `${summaryOf(status)} – forwarded ports`;
  announce(summaryOf(status));
}

// A screen reader hears the summary when it has changed, and not more often than every few seconds.
let announced = '';
let announceTimer;
function announce(text) {
  if (text === announced || announceTimer) return;
  announced = text;
  setText(find('announcement'), text);
  announceTimer = setTimeout(() => {
    announceTimer = undefined;
    announce(summaryOf(status));
  }, announcePause);
}

// Several documents between two frames are drawn once.
let drawing = false;
function draw() {
  if (drawing || !status) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    show();
  }, 50);
}

function setConnection(state, text) {
  document.body.dataset.connection = state;
  setText(find('connection'), text);
}

function received(line) {
  status = JSON.parse(line);
  failures = 0;
  setConnection('live', 'Connected');
  draw();
}

// Returns when the stream has ended; throws when it cannot be had or breaks, and when the page stays hidden.
async function follow() {
  const stop = new AbortController();
  let watchdog = setTimeout(() => stop.abort(), silence);
  let hidden;
  const look = () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => stop.abort(), hiddenPause);
  };
  document.addEventListener('visibilitychange', look);
  try {
    const answer = await fetch('/v1/status/watch', {signal: stop.signal, cache: 'no-store', credentials: 'omit'});
    if (!answer.ok) throw new Error(answer.status === 503 ? 'too many pages are open' : `status ${answer.status}`);
    let parts = [];  // of a line whose end has not come
    let buffered = 0;
    for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();;) {
      const {value, done} = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => stop.abort(), silence);
      const {lines, rest} = takeLines(value.includes('\n') ? parts.join('') + value : '');
      parts = value.includes('\n') ? [rest] : [...parts, value];
      buffered = value.includes('\n') ? rest.length : buffered + value.length;
      if (buffered > mostBuffered) throw new Error('the document is too large');
      if (lines.length > 0) received(lines.at(-1));
    }
  } finally {
    clearTimeout(watchdog);
    clearTimeout(hidden);
    document.removeEventListener('visibilitychange', look);
    stop.abort();
  }
}

const changeOfVisibility = () => new Promise((resolve) => {
  document.addEventListener('visibilitychange', resolve, {once: true});
});

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

function explainLoss(error, delay) {
  const why = error instanceof TypeError || error?.name === 'AbortError' ? '' : ` (${error?.message ?? 'ended'})`;
  const old = status ? ` The page shows the state of ${new Date(status.now).toLocaleTimeString()}.` : '';
  return `Not connected${why}.${old} Next attempt in ${Math.ceil(delay / 1000)} s.`;
}

async function run() {
  while (true) {
    if (document.hidden) {
      setConnection('paused', 'Paused while the page is hidden');
      await changeOfVisibility();
      continue;
    }
    let error;
    await follow().catch((why) => { error = why; });
    if (document.hidden) continue;
    const delay = retryDelay(failures++, Math.random());
    setConnection('lost', explainLoss(error, delay));
    await Promise.race([pause(delay), changeOfVisibility()]);
  }
}

search.addEventListener('input', draw);
run();
