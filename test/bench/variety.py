"""Measures of lists of ten, and a picture of them; called by variety.sh.

    variety.py DATASET ALGORITHM LISTS.csv ITEMS.csv ITEMS   rows of a table on stdout
    variety.py picture TABLE FILE.svg

NDCG@10 of the held out items; distance: mean of 1 - Jaccard of the categories of two
items of a list; categories: distinct ones in a list; coverage: share of all items in
some list.
"""
import csv
import itertools
import math
import sys


def read_categories(path):
    with open(path, newline="") as f:
        rows = csv.reader(f)
        next(rows)
        return {row[0]: frozenset(row[-1].split("|")) - {""} for row in rows}


def distance(a, b):
    return 1 - len(a & b) / len(a | b) if a | b else 0


def ndcg(items, held):
    gain = sum(1 / math.log2(rank + 2) for rank, item in enumerate(items) if item in held)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(len(held), 10)))


def rows(dataset, algorithm, lists, items, n_items):
    category = read_categories(items)
    sums = {}
    with open(lists, newline="") as f:
        for method, d, _, recommended, held in csv.reader(f):
            ten = recommended.split(" ")
            sets = [category.get(item, frozenset()) for item in ten]
            pairs = list(itertools.combinations(sets, 2))
            s = sums.setdefault((method, float(d)), [0, 0.0, 0.0, 0, set()])
            s[0] += 1
            s[1] += ndcg(ten, set(held.split(" ")))
            s[2] += sum(distance(a, b) for a, b in pairs) / len(pairs)
            s[3] += len(frozenset().union(*sets))
            s[4].update(ten)
    for (method, d), (n, gain, far, kinds, seen) in sorted(sums.items()):
        plain = sums[(method, 0.0)][1]
        print(f"| {dataset} | {algorithm} | {method} | {d:g} | {gain / n:.4f} | {100 * gain / plain:.1f} % "
              f"| {far / n:.3f} | {kinds / n:.2f} | {100 * len(seen) / int(n_items):.1f} % |")


def picture(table, path):
    """A panel a data set and algorithm: distance across, NDCG@10 up, a line a method."""
    panels = {}
    with open(table) as f:
        for line in f:
            cell = [c.strip() for c in line.strip().strip("|").split("|")]
            panels.setdefault(f"{cell[0]} {cell[1]}", {}).setdefault(cell[2], []).append(
                (float(cell[6]), float(cell[4]), cell[3]))
    width, height, left, top = 400, 300, 60, 40
    colour = {"dpp": "#1f77b4", "mmr": "#d62728"}
    out = []
    for i, (name, methods) in enumerate(panels.items()):
        x0, y0 = (i % 2) * width, (i // 2) * height
        points = [p for line in methods.values() for p in line]
        low, high = min(p[0] for p in points), max(p[0] for p in points)
        most = max(p[1] for p in points)

        def place(p):
            return (x0 + left + (p[0] - low) / (high - low or 1) * (width - left - 30),
                    y0 + height - 50 - p[1] / most * (height - top - 60))

        out.append(f'<text x="{x0 + left}" y="{y0 + 24}" font-weight="bold">{name}</text>')
        ax, ay = x0 + left, y0 + height - 50
        out.append(f'<path d="M{ax} {y0 + top}V{ay}H{x0 + width - 20}" fill="none" stroke="#888"/>')
        out.append(f'<text x="{ax - 4}" y="{ay}" text-anchor="end">0</text>')
        out.append(f'<text x="{ax - 4}" y="{place((low, most))[1] + 4:.0f}" text-anchor="end">{most:.3f}</text>')
        out.append(f'<text x="{ax}" y="{ay + 16}">{low:.2f}</text>')
        out.append(f'<text x="{x0 + width - 30}" y="{ay + 16}" text-anchor="end">{high:.2f}</text>')
        out.append(f'<text x="{x0 + width / 2 + 20}" y="{ay + 32}" text-anchor="middle">distance of categories</text>')
        out.append(f'<text x="{x0 + 16}" y="{y0 + height / 2}" text-anchor="middle" '
                   f'transform="rotate(-90 {x0 + 16} {y0 + height / 2})">NDCG@10</text>')
        for j, (method, line) in enumerate(methods.items()):
            path_of = "L".join(f"{x:.1f} {y:.1f}" for x, y in map(place, line))
            out.append(f'<path d="M{path_of}" fill="none" stroke="{colour[method]}" stroke-width="2"/>')
            for p in line:
                x, y = place(p)
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour[method]}">'
                           f"<title>{method} {p[2]}</title></circle>")
            out.append(f'<text x="{ax + 12}" y="{ay - 8 - 16 * j}" fill="{colour[method]}">{method}</text>')
    tall = (len(panels) + 1) // 2 * height
    with open(path, "w") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width} {tall}" font-family="sans-serif" '
                f'font-size="12">\n<rect width="{2 * width}" height="{tall}" fill="white"/>\n')
        f.write("\n".join(out) + "\n</svg>\n")


if sys.argv[1] == "picture":
    picture(*sys.argv[2:])
else:
    rows(*sys.argv[1:])
