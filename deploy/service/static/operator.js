// The operator's page: views of the extension as tables and pictures.  Its two
// buttons do what the caller's role may do; the database decides.
import { ask, el, make } from "/page.js";

let token = "";

function draw(tag, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
	node.append(...children);
	return node;
}

function say(text) { el("said").textContent = text; }

async function act(what, path, body) {
	try {
		const said = await ask(path, body, token);
		say(`${what}: done${said[0]?.retried !== undefined ? `, ${said[0].written} of ${said[0].retried} written` : ""}.`);
		await renew();
	} catch (error) { say(`${what}: ${error.message}.`); }
}

const written = (value) => value === null ? "–" : typeof value === "number" && !Number.isInteger(value)
	? value.toPrecision(4) : typeof value === "number" ? value.toLocaleString("en") : String(value);

function table(caption, rows, more = null) {
	if (rows.length === 0) return make("p", { class: "small" }, "None.");
	const names = Object.keys(rows[0]);
	const long = new Set(["error", "payload", "options"]);
	return make("table", {}, make("caption", { class: "small" }, caption),
		make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col", class: typeof rows[0][name] === "number" ? "number" : false },
			name.replaceAll("_", " "))), ...(more ? [make("th", { scope: "col" }, "action")] : []))),
		make("tbody", {}, ...rows.map((row) => make("tr", {}, ...names.map((name) => make("td", {
			class: typeof row[name] === "number" ? "number" : long.has(name) ? "long"
				: name === "state" ? (["running", "live"].includes(row[name]) ? "good" : "bad") : false },
			written(row[name]))), ...(more ? [make("td", {}, more(row))] : [])))));
}

// A line for each of several rows of numbers
function lines(title, series, from) {
	const all = series.flatMap((one) => one.points.map((point) => point[1])).filter(Number.isFinite);
	if (all.length === 0) return null;
	const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
	const last = Math.max(1, ...series.map((one) => one.points.length - 1));
	const svg = draw("svg", { viewBox: "0 0 200 100", preserveAspectRatio: "none", role: "img", "aria-label":
		`${title}: from ${written(all[0])} to ${written(all[all.length - 1])}` });
	for (const one of series) {
		svg.append(draw("polyline", { class: one.second ? "line second" : "line", points:
			one.points.filter((point) => Number.isFinite(point[1]))
				.map((point) => `${200 * point[0] / last},${95 - 90 * (point[1] - low) / span}`).join(" ") }));
	}
	return make("figure", {}, make("figcaption", {}, title), svg, make("p", { class: "small" }, `${from}: ${written(low)} to ${written(high)}`));
}

function bars(title, values, from) {
	if (values.length === 0) return null;
	const high = Math.max(...values.map((value) => value[1]));
	const width = 200 / values.length;
	const svg = draw("svg", { viewBox: "0 0 200 100", preserveAspectRatio: "none", role: "img", "aria-label":
		`${title}: ` + values.map((value) => `${value[0]} ${written(value[1])}`).join(", ") });
	values.forEach((value, i) => svg.append(draw("rect", { class: "bar", x: i * width + width * 0.1, width: width * 0.8,
		y: 98 - 93 * value[1] / (high || 1), height: 93 * value[1] / (high || 1) + 1 })));
	return make("figure", {}, make("figcaption", {}, title), svg, make("p", { class: "small" },
		`${from}: ${values[0][0]} to ${values[values.length - 1][0]}, at most ${written(high)}`));
}

async function renew() {
	const names = ["models", "versions", "losses", "streams", "partitions", "dead_letters", "progress", "cache"];
	const found = Object.fromEntries(await Promise.all(names.map(async (name) => {
		try { return [name, await ask("/operator/" + name, undefined, token)]; } catch (error) { return [name, error]; }
	})));
	const show = (name, caption, more) => el(name).replaceChildren(found[name] instanceof Error
		? make("p", { class: "bad" }, found[name].message + ".") : table(caption, found[name], more));
	show("models", "The live version of each model");
	show("versions", "All versions, the newest first", (row) => row.live ? "live" : make("button", { class: "quiet",
		"aria-label": `Make version ${row.version} of ${row.model} live`,
		onclick: () => act(`Version ${row.version} of ${row.model}`, "/operator/deploy", { model: row.model, version: row.version }) }, "Make live"));
	show("progress", "Trainings that run now");
	show("streams", "Streams, and how far behind they are");
	show("dead_letters", "The newest fifty messages that could not be a row", (row) => make("button", { class: "quiet",
		"aria-label": `Retry the dead letters of ${row.stream}`,
		onclick: () => act(`Dead letters of ${row.stream}`, "/operator/retry", { stream: row.stream }) }, "Retry its stream"));
	show("cache", "Models held in memory");
	const pictures = [];
	if (Array.isArray(found.losses)) {
		const runs = Map.groupBy ? Map.groupBy(found.losses, (row) => `${row.model}, version ${row.version}`) : grouped(found.losses);
		for (const [name, rows] of [...runs].slice(-4)) pictures.push(lines("Loss of " + name, [
			{ points: rows.map((row, i) => [i, row.loss]) },
			{ second: true, points: rows.map((row, i) => [i, row.validation_loss ?? NaN]) }], `${rows.length} epochs`));
	}
	if (Array.isArray(found.partitions)) pictures.push(bars("Lag by partition", found.partitions.filter((row) => row.partition !== null)
		.map((row) => [`${row.stream} ${row.partition}`, row.lag ?? 0]), "messages"));
	if (Array.isArray(found.versions)) pictures.push(bars("Seconds of the last trainings", found.versions.slice(0, 12).reverse()
		.map((row) => [`${row.model} ${row.version}`, row.seconds ?? 0]), "seconds"));
	try {
		for (const [route, buckets] of Object.entries(await ask("/operator/service/latency", undefined, token))) {
			const counts = buckets.map(([le, sum], i) => [le === "+Inf" ? "more" : `${1000 * le} ms`, sum - (i ? buckets[i - 1][1] : 0)]);
			pictures.push(bars("Requests of " + route + " by time", counts, "requests"));
		}
	} catch { /* the tables say already what is wrong */ }
	el("charts").replaceChildren(...pictures.filter(Boolean));
}
function grouped(rows) {
	const runs = new Map();
	for (const row of rows) {
		const name = `${row.model}, version ${row.version}`;
		runs.set(name, [...(runs.get(name) ?? []), row]);
	}
	return runs;
}

el("sign-in").addEventListener("submit", (event) => { event.preventDefault(); token = el("token").value; renew(); });
el("renew").addEventListener("click", () => renew().then(() => say("Renewed.")));
renew();
setInterval(renew, 5000);
