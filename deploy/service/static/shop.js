// The shop's page: what it shows comes from the service's own endpoints, and from
// /shop/… for the catalogue.  No state but who you are and what is in your cart.
import { ask, el, make } from "/page.js";

const kept = {
	get(name, otherwise) { try { return JSON.parse(sessionStorage.getItem(name)) ?? otherwise; } catch { return otherwise; } },
	set(name, value) { try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* private windows may refuse */ } },
};
const catalogue = new Map();
let me = kept.get("me", null);
let cart = kept.get("cart", []);
let shown = "";        // the list for you, as text
let shownIds = [];
let asking = 0;        // number of the newest question: older answers are dropped

function tile(item) {
	let sum = 0;
	for (const c of item.category) sum = (sum * 31 + c.charCodeAt(0)) % 1009;
	return make("span", { class: "tile tile-" + (sum % 8), "aria-hidden": "true" },
		item.category.split(" ").map((word) => word[0]).join("").slice(0, 2).toUpperCase());
}
const price = (item) => item.price.toLocaleString("en", { style: "currency", currency: "EUR" });

function card(item, note) {
	return make("a", { class: "item", href: "#/item/" + item.item_id }, tile(item),
		make("span", { class: "words" }, make("span", { class: "title" }, item.title),
			make("span", { class: "small" }, item.category),
			...(note ? [make("span", { class: "small" }, note)] : []), make("span", { class: "price" }, price(item))));
}

async function itemsOf(ids) {
	const missing = ids.filter((id) => !catalogue.has(String(id)));
	if (missing.length > 0) {
		for (const item of await ask("/shop/items?ids=" + missing.join(","))) catalogue.set(String(item.item_id), item);
	}
	return ids.map((id) => catalogue.get(String(id))).filter(Boolean);
}

async function shelf(list, ids, { fresh = [], notes = {} } = {}) {
	const items = await itemsOf(ids);
	list.replaceChildren(...items.map((item) => make("li", { class: fresh.includes(item.item_id) ? "new" : false },
		card(item, notes[item.item_id]))));
}

// --- the list for you ---

function question() {
	const wanted = { user_id: me.user_id, k: 12, details: true, fresh: true, exclude_seen: !el("seen").checked };
	if (Number(el("diversity").value) > 0) wanted.diversity = Number(el("diversity").value);
	if (el("category").value) wanted.filter = { name: "category", values: [el("category").value] };
	return wanted;
}

async function look() {
	const said = await ask("/recommend", question());
	return { ids: said.recommendations, text: JSON.stringify(said.rows.map((row) => [row.item_id, row.score])),
		popular: said.rows.filter((row) => row.source === "popularity").map((row) => row.item_id) };
}

async function show(list, message, isFresh) {
	const fresh = isFresh ? list.ids.filter((id) => !shownIds.includes(id)) : [];
	shown = list.text;
	shownIds = list.ids;
	await shelf(el("for-you"), list.ids, { fresh,
		notes: Object.fromEntries(list.popular.map((id) => [id, "popular now"])) });
	el("renewed").textContent = message;
	el("renewed").classList.toggle("fresh", Boolean(isFresh));
}

async function renew() {
	const number = ++asking;
	try {
		const list = await look();
		if (number === asking) await show(list, "Click on a product: the list renews itself.");
	} catch (error) { complain(error); }
}

// An event goes to Kafka; then the list is asked for until it is another
async function act(type, item) {
	const started = performance.now();
	const number = ++asking;
	try {
		await ask("/events", { user_id: me.user_id, item_id: item.item_id, event_type: type });
		while (performance.now() - started < 8000 && number === asking) {
			const list = await look();
			if (number !== asking) return;
			if (list.text !== shown) {
				await show(list, `The list renewed itself ${Math.round(performance.now() - started)} ms after the click.`, true);
				return;
			}
			await new Promise((done) => setTimeout(done, 40));
		}
		if (number === asking) el("renewed").textContent = "The click is noted; the list stays as it is.";
	} catch (error) { complain(error); }
}

function complain(error) {
	el("renewed").classList.remove("fresh");
	el("renewed").textContent = "That did not work: " + error.message + ".";
}

// --- views ---

function section(title, ...children) {
	return make("section", {}, make("h2", {}, title), ...children);
}

async function home(search, category, skip = 0) {
	const list = make("ul", { class: "shelf" });
	const query = new URLSearchParams();
	if (search) query.set("search", search);
	if (category) query.set("category", category);
	if (skip) query.set("skip", skip);
	const items = await ask("/shop/items?" + query);
	for (const item of items) catalogue.set(String(item.item_id), item);
	list.append(...items.map((item) => make("li", {}, card(item))));
	const more = make("button", { class: "quiet", onclick: async () => {
		more.remove();
		el("view").append(...(await home(search, category, skip + 24)));
	} }, "More products");
	return [section(skip ? "More" : search ? `Products with “${search}”` : "All products", list), ...(items.length === 24 ? [more] : [])];
}

async function product(id) {
	const [item] = await itemsOf([id]);
	if (!item) return [make("p", {}, "There is no such product.")];
	const similar = make("ul", { class: "shelf" });
	const because = make("p", { class: "small" });
	act("view", item);
	ask(`/items/${encodeURIComponent(id)}/similar?k=6`).then((said) => shelf(similar, said.similar.map((row) => row.item_id)), complain);
	ask(`/users/${me.user_id}/explanations/${encodeURIComponent(id)}?k=3`).then(async (said) => {
		const reasons = said.reasons.filter((row) => row.contribution > 0 && row.item_id !== null && String(row.item_id) !== String(id));
		const known = await itemsOf(reasons.map((row) => row.item_id));
		if (known.length > 0) because.textContent = "Because you looked at " + known.map((other) => other.title).join(", ") + ".";
	}, () => {});
	return [make("div", { class: "product" }, tile(item), make("div", {},
		make("h2", {}, item.title), make("p", {}, item.category, ", ", price(item)), because,
		make("p", { class: "actions" },
			make("button", { onclick: () => { if (!cart.includes(item.item_id)) cart.push(item.item_id); keepCart(); act("cart", item); } }, "Put in the cart"),
			make("button", { class: "quiet", onclick: () => act("purchase", item) }, "Buy now")))),
	section("Similar products", similar)];
}

async function cartView() {
	const items = await itemsOf(cart);
	if (items.length === 0) return [section("Your cart", make("p", {}, "It is empty."))];
	const goes = make("ul", { class: "shelf" });
	ask("/recommend", { items: cart, k: 6, fresh: true }).then((said) => shelf(goes, said.recommendations), complain);
	return [section("Your cart", make("ul", {}, ...items.map((item) => make("li", {}, item.title, ", ", price(item), " ",
		make("button", { class: "quiet", "aria-label": "Take out " + item.title,
			onclick: () => { cart = cart.filter((other) => other !== item.item_id); keepCart(); route(); } }, "Take out"))))),
	section("Goes with your cart", goes)];
}

function keepCart() {
	kept.set("cart", cart);
	el("cart-link").textContent = `Cart (${cart.length})`;
}

async function route(event) {
	const [, name, argument] = location.hash.split("/");
	let nodes;
	try {
		if (name === "item") nodes = await product(decodeURIComponent(argument));
		else if (name === "cart") nodes = await cartView();
		else if (name === "search") nodes = await home(decodeURIComponent(argument ?? ""), el("category").value);
		else nodes = await home("", el("category").value);
	} catch (error) { complain(error); return; }
	el("view").replaceChildren(...nodes);
	if (event) {
		// Who works by keyboard or ear goes on where the new things are
		const heading = el("view").querySelector("h2");
		heading?.setAttribute("tabindex", "-1");
		heading?.focus({ preventScroll: name !== "item" });
	}
}

async function start() {
	const people = await ask("/shop/people");
	const stranger = kept.get("stranger", 10 ** 9 + Math.floor(Math.random() * 10 ** 9));
	kept.set("stranger", stranger);
	const select = el("person");
	select.append(...people.map((one) => make("option", { value: one.user_id }, `Customer ${one.user_id}, ${one.age}, ${one.city}`)),
		make("option", { value: stranger }, "a stranger"));
	me = me ?? people[0] ?? { user_id: stranger };
	select.value = String(me.user_id);
	select.addEventListener("change", () => {
		me = { user_id: Number(select.value) };
		kept.set("me", me);
		cart = [];
		keepCart();
		location.hash = "#/";
		renew();
	});
	for (const one of await ask("/shop/categories")) el("category").append(make("option", {}, one.category));
	el("category").addEventListener("change", () => { renew(); route(); });
	el("diversity").addEventListener("input", () => { el("diversity-value").textContent = el("diversity").value; });
	el("diversity").addEventListener("change", renew);
	el("seen").addEventListener("change", renew);
	el("search").addEventListener("submit", (event) => {
		event.preventDefault();
		location.hash = "#/search/" + encodeURIComponent(el("words").value);
	});
	addEventListener("hashchange", route);
	keepCart();
	await renew();
	await route();
}
start().catch(complain);
