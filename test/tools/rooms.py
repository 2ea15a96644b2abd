#!/usr/bin/env python3
"""
rooms.py: hold the sources against the map in docs/architecture.md.

The map is the fenced block after "<!-- rooms -->": a line a room, "folder →
folders", which a file there may call, and what these may call in their turn.  A
folder without a line of its own belongs to the one above it.  What counts as a
call: an include, and a symbol that an object takes from another (nm), so that a
declaration by hand does not go round it.  A file is a .c and .h of one name.

Prints every breach: a room that calls another without an arrow, arrows in a
circle, files in a circle, a folder without a room, a room without a folder.
Build first: the objects are read.
"""
import collections
import os
import re
import subprocess
import sys

MAP = "docs/architecture.md"
breaches = []


def read_map():
	"""{room: rooms it may call directly}"""
	text = open(MAP, encoding="utf-8").read()
	block = re.search(r"<!-- rooms -->\n+```\w*\n(.*?)```", text, re.S)
	if not block:
		sys.exit(f"{MAP} has no map after <!-- rooms -->")
	rooms = {}
	for line in block.group(1).splitlines():
		room, _, arrows = line.partition("→")
		rooms[room.strip()] = [] if "nothing" in arrows else arrows.split()
	return rooms


def closure(graph, start):
	seen, todo = set(), [start]
	while todo:
		for other in graph.get(todo.pop(), ()):
			if other not in seen:
				seen.add(other)
				todo.append(other)
	return seen


def circles(graph):
	"""Sets of nodes that reach each other."""
	reach = {node: closure(graph, node) for node in graph}
	found = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in graph if a in reach[a]}
	return sorted(sorted(circle) for circle in found)


def read_files():
	"""{stem: {stem it calls: why}}, stems as core/base/context"""
	stems = collections.defaultdict(dict)
	defined, wanted = {}, collections.defaultdict(set)
	for folder, _, names in os.walk("src"):
		for name in names:
			stem, end = os.path.splitext(os.path.join(folder, name)[len("src/"):])
			path = os.path.join(folder, name)
			if end in (".c", ".h"):
				stems[stem]
				for include in re.findall(r'^\s*#\s*include\s+"((?:core|kafka|pg)/[^"]+)\.h"', open(path).read(), re.M):
					if include != stem:
						stems[stem].setdefault(include, f'includes "{include}.h"')
			elif end == ".o" and os.path.exists(path[:-2] + ".c"):
				for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
					words = line.split()
					if words[-2] == "U":
						wanted[stem].add(words[-1])
					elif words[-2] in "TDBRVWCi":
						defined[words[-1]] = stem
	for stem, symbols in wanted.items():
		for symbol in sorted(symbols):
			other = defined.get(symbol)
			if other not in (None, stem):
				stems[stem].setdefault(other, f"uses {symbol} of {other}")
	return stems


def main():
	rooms, files = read_map(), read_files()
	for room, arrows in rooms.items():
		for other in arrows:
			if other not in rooms:
				breaches.append(f"{MAP}: {room} → {other}, which is no room")
	for circle in circles(rooms):
		breaches.append("rooms in a circle: " + " ".join(circle))
	allowed = {room: closure(rooms, room) | {room} for room in rooms}

	def room_of(stem):
		folder = os.path.dirname(stem)
		while folder and folder not in rooms:
			folder = os.path.dirname(folder)
		return folder

	for stem in sorted(files):
		if not room_of(stem):
			breaches.append(f"src/{stem}: its folder is no room of {MAP}")
	for room in sorted(set(rooms) - {room_of(stem) for stem in files}):
		breaches.append(f"{MAP}: room {room} has no files")
	if not breaches:
		for stem in sorted(files):
			for other, why in sorted(files[stem].items()):
				if other in files and room_of(other) not in allowed[room_of(stem)]:
					breaches.append(f"src/{stem} {why}: no arrow from {room_of(stem)} to {room_of(other)}")
	for circle in circles(files):
		whys = [f"\n\t{stem} {files[stem][other]}" for stem in circle for other in circle if other in files[stem]]
		breaches.append("files in a circle: " + " ".join(circle) + "".join(whys))
	print("\n".join(breaches), end="\n" if breaches else "")
	return 1 if breaches else 0


if __name__ == "__main__":
	sys.exit(main())
