// What both pages do: find and make elements, ask the service.
export const el = (id) => document.getElementById(id);

// GET, or POST where there is a body; what is wrong is thrown in the service's words
export async function ask(path, body, token = "") {
	const headers = token ? { Authorization: "Bearer " + token } : {};
	const answer = await fetch(path, body === undefined ? { headers } : {
		method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) });
	const said = await answer.json();
	if (!answer.ok) throw new Error(said.detail || answer.statusText);
	return said;
}

// Texts go in as text, never as HTML
export function make(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (value !== false && value !== null) node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}
