const signIn = document.querySelector("#sign-in");
const signOut = document.querySelector("#sign-out");
const table = document.querySelector("#invoices");
const message = document.querySelector("#message");
let events;

signIn.addEventListener("submit", (submission) => {
  submission.preventDefault();
  void begin(new FormData(signIn).get("token"));
});
signOut.addEventListener("click", () => void end());

await show();

async function begin(token) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/session", { method: "POST", headers, body: JSON.stringify({ token }) });
  signIn.reset();
  if (answer.ok) await show();
  else await tell(answer);
}

async function end() {
  await fetch("/session", { method: "DELETE" });
  await show();
}

async function show() {
  const session = await fetch("/session");
  signIn.hidden = session.ok;
  signOut.hidden = !session.ok;
  table.hidden = !session.ok;
  message.textContent = "";
  events?.close();
  table.tBodies[0].replaceChildren();
  if (session.ok) await follow();
}

async function follow() {
  // The stream first, so that nothing is missed between the two.
  events = new EventSource("/events");
  for (const name of ["invoice", "reset"]) events.addEventListener(name, () => void list());
  await list();
}

/** Shows the first invoices; every page has a cursor to the next one. */
async function list() {
  const answer = await fetch("/invoices?limit=100");
  if (!answer.ok) return tell(answer);
  const { items } = await answer.json();
  table.tBodies[0].replaceChildren(...items.map(toRow));
}

function toRow({ reference, currency, totalCents, status }) {
  const row = document.createElement("tr");
  const total = new Intl.NumberFormat(undefined, { style: "currency", currency }).format(totalCents / 100);
  for (const text of [reference, total, status]) row.insertCell().textContent = text;
  return row;
}

async function tell(answer) {
  const { detail } = await answer.json();
  message.textContent = detail;
}
