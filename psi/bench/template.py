"""Hold the page of a report as a template: one file, no script, nothing from outside, and a print form."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --ink: #1b1b1b; --soft: #555; --line: #c9c9c9; --ours: #1f6f54; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.2rem 1rem 3rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 Georgia, "Times New Roman", serif; overflow-wrap: break-word;
  font-variant-ligatures: none; }
h1, h2, h3, th, figcaption, .caption { font-family: Helvetica, Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.65rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, ul, ol { max-width: 44rem; }
.answer { font-size: 1.15em; border-left: .35rem solid var(--ours); padding: .2rem 0 .2rem .9rem; }
.note { color: var(--soft); font-size: .92em; }
figure { margin: 1.2rem 0; max-width: 36rem; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-size: .9rem; font-weight: bold; margin-bottom: .3rem; }
.wide { overflow-x: auto; margin: .8rem 0 1.2rem; }
td:first-child { min-width: 11rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; line-height: 1.35; }
.caption { font-weight: bold; font-size: .9rem; margin: 1.2rem 0 .2rem; break-after: avoid; }
.caption + .wide { margin-top: .2rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .55rem .3rem 0; border-bottom: 1px solid var(--line); }
th { border-bottom: 1.5px solid var(--ink); font-size: .8rem; vertical-align: bottom; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n { white-space: normal; }
td.n:first-child { min-width: 0; }
tr.ours td { background: #eef6f2; }
th:last-child { white-space: normal; }
td.s { color: var(--soft); font-size: .75rem; white-space: nowrap; }
code, pre { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .85rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: #f4f4f2; padding: .7rem; margin: .6rem 0; }
a { color: #14507a; }
@media (max-width: 40rem) { body { font-size: .97rem; } h1 { font-size: 1.4rem; }
  .wide table { min-width: 34rem; } .wide td:not(.n):not(.s) { min-width: 8rem; } }
@page { size: A4; margin: 16mm 15mm; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; }
  table { font-size: 7.8pt; } th { font-size: 7.4pt; } tr, figure, pre { break-inside: avoid; }
  figure { max-width: 9.5cm; margin: .6rem 0; } .answer { font-size: 12pt; }
  h2, h3 { break-after: avoid; }
  .wide table { min-width: 0; } a { color: inherit; text-decoration: none; } }
"""

TABLE = """
{%- macro shown(table) -%}
<p class="caption" id="caption-{{ table.name }}">{{ table.caption }}</p>
<div class="wide" role="region" tabindex="0" aria-labelledby="caption-{{ table.name }}">
<table id="{{ table.name }}" aria-labelledby="caption-{{ table.name }}">
<thead><tr>
{%- for title in table.header %}
<th scope="col"{% if loop.index0 in table.numeric %} class="n"{% endif %}>{{ title }}</th>
{%- endfor %}
<th scope="col">in {{ table.record }}</th></tr></thead>
<tbody>
{% for row in table.rows -%}
<tr{% if table.is_ours(row) %} class="ours"{% endif %}>
{%- for cell in row %}<td{% if loop.index0 in table.numeric %} class="n"{% endif %}>{{ cell }}</td>{% endfor %}
<td class="s">{{ table.sources[loop.index0] }}</td></tr>
{% endfor -%}
</tbody></table></div>
{%- endmacro -%}
"""

PAGE = (
    TABLE
    + """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="psi {{ version }}">
<title>{{ title }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<header>
<h1>{{ title }}</h1>
<p class="note">{{ subtitle }}</p>
</header>

<h2 id="question">The question</h2>
<p>{{ question|prose }}</p>

<h2 id="answer">The answer</h2>
<p class="answer">{{ answer|prose }}</p>
{% for line in remarks %}<p>{{ line|prose }}</p>
{% endfor %}

<h2 id="crosses">What crosses the line</h2>
{% for figure in figures -%}
<figure>
<figcaption>{{ figure.caption }}</figcaption>
{{ figure.svg|safe }}
</figure>
{% endfor -%}
{{ shown(tables.crossed) }}

<h2 id="learns">Who learns what</h2>
{{ shown(tables.learned) }}
<p class="note">What <code>psi</code> tells and to whom is stated with its assumptions in the protocol's leakage tables
(protocol_spec/security.md and security-vole.md). What the other ways show was counted from the bytes that arrived.</p>
{% if tables.reversal %}
<h3>Why a hashed list is counted as exposed</h3>
<p>A tax number has nine digits, so there are only 10<sup>9</sup> of them. Whoever holds a hash of one can try them all.
A salt does not help: both sides must know it, or their hashes would never be equal.</p>
{{ shown(tables.reversal) }}
{% endif %}
{% for section in sections %}
<h2 id="{{ section.name }}">{{ section.title }}</h2>
{% for line in section.lines %}<p>{{ line|prose }}</p>
{% endfor -%}
{% for figure in section.figures -%}
<figure>
<figcaption>{{ figure.caption }}</figcaption>
{{ figure.svg|safe }}
</figure>
{% endfor -%}
{% for table in section.tables %}{{ shown(table) }}
{% endfor -%}
{% endfor %}

<h2 id="limits">What this does not show</h2>
<ul>
{% for line in limits %}<li>{{ line|prose }}</li>
{% endfor %}</ul>

<h2 id="check">How to check and repeat it</h2>
<ol>
{% for line in steps %}<li>{{ line|prose }}</li>
{% endfor %}</ol>
<p class="caption" id="caption-origin">On what it ran</p>
<div class="wide" role="region" tabindex="0" aria-labelledby="caption-origin">
<table id="origin" aria-labelledby="caption-origin">
<thead><tr><th scope="col">what</th><th scope="col">value</th></tr></thead>
<tbody>{% for name, value in origin %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</tbody></table></div>

<h2 id="cite">How to cite it</h2>
<p>{{ citation }}</p>
<pre tabindex="0" aria-label="BibTeX">{{ bibtex }}</pre>
</main>
</body>
</html>
"""
)

COMPARE = (
    TABLE
    + """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="psi {{ version }}">
<title>{{ title }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<h2 id="answer">The answer</h2>
<p class="answer">{{ answer|prose }}</p>
<h2 id="crosses">What crosses the line</h2>
{% for figure in figures -%}
<figure>
<figcaption>{{ figure.caption }}</figcaption>
{{ figure.svg|safe }}
</figure>
{% endfor -%}
{{ shown(table) }}
<h2 id="limits">What this does not show</h2>
<ul>
{% for line in limits %}<li>{{ line|prose }}</li>
{% endfor %}</ul>
<h2 id="check">Where it comes from</h2>
<p class="caption" id="caption-origin">The run</p>
<div class="wide" role="region" tabindex="0" aria-labelledby="caption-origin">
<table id="origin" aria-labelledby="caption-origin">
<thead><tr><th scope="col">what</th><th scope="col">value</th></tr></thead>
<tbody>{% for name, value in origin %}<tr><td>{{ name }}</td><td>{{ value|prose }}</td></tr>
{% endfor %}</tbody></table></div>
<h2 id="cite">How to cite it</h2>
<p>{{ citation }}</p>
</main>
</body>
</html>
"""
)

MARKDOWN = """# {{ title }}

{{ subtitle }}

## The question

{{ question }}

## The answer

**{{ answer }}**
{% for line in remarks %}
{{ line }}
{% endfor %}
{% for table in all_tables %}
## {{ table.caption }}

{{ table.markdown() }}
{% endfor %}
## What this does not show
{% for line in limits %}
- {{ line }}
{%- endfor %}

## How to check and repeat it
{% for line in steps %}
{{ loop.index }}. {{ line }}
{%- endfor %}
{% for name, value in origin %}
- {{ name }}: {{ value }}
{%- endfor %}

## How to cite it

{{ citation }}

```
{{ bibtex }}
```
"""
