"""The text of the page of a gate's report, as a template of jinja2."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Intake gate: {{ record.file }}</title>
<style>
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1c1c1c; background: #fff;
  max-width: 50rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p.where { color: #4a4f55; margin: 0 0 1.5rem; }
p.stop { border-left: .3rem solid #a3262a; padding: .4rem .8rem; background: #fbf0f0; overflow-wrap: anywhere; }
p.go { border-left: .3rem solid #2c6e49; padding: .4rem .8rem; background: #eff6f1; }
dl.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
dl.counts div { border-top: 2px solid #2f5d8a; padding-top: .4rem; }
dt { color: #4a4f55; font-size: .9rem; }
dl.counts dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
dl.counts dd small { font-size: .85rem; color: #4a4f55; display: block; }
figure { margin: 1rem 0; }
figure svg { width: 100%; height: auto; }
figcaption { color: #4a4f55; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; margin: .75rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #d5d9de;
  overflow-wrap: break-word; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font: .9em ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; overflow-wrap: break-word; }
footer { margin-top: 2.5rem; color: #4a4f55; font-size: .85rem; }
@page { size: A4; margin: 18mm; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>Intake gate: {{ record.file }}</h1>
<p class="where">The {{ record.side }}&rsquo;s file, checked under the terms
<code>{{ record.terms_digest[:16] }}&hellip;</code></p>
{% if record.stopped_by %}
<p class="stop"><strong>A run with this file would be stopped.</strong> {{ record.stopped_by }}.</p>
{% else %}
<p class="go"><strong>A run with this file can take place.</strong>
{% if record.max_rejected_percent is not none %}
{{ record.rejected | share(record.rows) }} of the rows are rejected,
and the terms allow {{ record.max_rejected_percent }}&nbsp;%.
{% endif %}
</p>
{% endif %}
<dl class="counts">
<div><dt>rows in the file</dt><dd>{{ record.rows | count }}</dd></div>
<div><dt>passed</dt><dd>{{ record.passed | count }}<small>{{ record.passed | share(record.rows) }}</small></dd></div>
<div><dt>rejected</dt>
<dd>{{ record.rejected | count }}<small>{{ record.rejected | share(record.rows) }}</small></dd></div>
<div><dt>repeated</dt><dd>{{ record.collapsed | count }}
<small>{{ "every key of it that" if record["keys"] | length > 1 else "the key" }} of a row before</small></dd></div>
</dl>

<h2>Who has {{ "the key" if record["keys"] | length == 1 else "which key" }}</h2>
<table>
<thead><tr><th scope="col">key</th>
<th scope="col" class="number">rows that have it</th>
<th scope="col" class="number">share of all rows</th>
<th scope="col" class="number">different people</th>
<th scope="col" class="number">repeated</th></tr></thead>
<tbody>
{% for key in record["keys"] %}
<tr><td>{{ key.name }}</td>
<td class="number">{{ key.rows | count }}</td>
<td class="number">{{ "%.2f" | format(key.percent) }}&nbsp;%</td>
<td class="number">{{ key["items"] | count }}</td>
<td class="number">{{ key.collapsed | count }}</td></tr>
{% endfor %}
</tbody>
</table>
<p>A row has a key if it was not rejected and something is left of each of the key&rsquo;s columns after its recipe.</p>

<h2>Why rows were rejected</h2>
{% if reasons %}
<figure>
{{ reasons_chart | safe }}
<figcaption>Most rows were rejected for the reason {{ reasons[0][0] }}: {{ reasons[0][1] | count }} of
{{ record.rows | count }}. A row with several reasons counts for each.</figcaption>
</figure>
<table>
<thead><tr><th scope="col">column</th>
<th scope="col">rule</th>
<th scope="col">reason</th>
<th scope="col" class="number">rows</th></tr></thead>
<tbody>
{% for effect in rules %}
<tr><td>{{ effect.column }}</td>
<td><code>{{ effect.rule }}</code></td>
<td>{{ effect.reason }}</td>
<td class="number">{{ effect.rejected | count }}</td></tr>
{% endfor %}
</tbody>
</table>
<p>Each rule in a sentence; of several faults of one value the first in the order of the terms is told.</p>
<dl>
{% for name in rules | map(attribute="rule") | unique %}
<dt><code>{{ name }}</code></dt><dd>{{ sentences[name] }}.</dd>
{% endfor %}
</dl>
{% else %}
<p>None was.</p>
{% endif %}

<h2>What the recipes changed</h2>
<p>A recipe brings a value into the one form that is compared; the file itself is not changed. Counted are the
{{ kept | count }} rows that were not rejected.</p>
<figure>
{{ recipes_chart | safe }}
<figcaption>Values that would not have been equal to the same value in the compared form: what matching without the
recipe can lose.</figcaption>
</figure>
<table>
<thead><tr><th scope="col">column</th>
<th scope="col">recipe</th>
<th scope="col" class="number">changed</th>
<th scope="col" class="number">share</th></tr></thead>
<tbody>
{% for effect in record.recipes %}
<tr><td>{{ effect.column }}</td>
<td><code>{{ effect.recipe }}</code>
{{ recipes[effect.recipe] }}</td>
<td class="number">{{ effect.changed | count }}</td>
<td class="number">{{ effect.changed | share(kept) }}</td></tr>
{% endfor %}
</tbody>
</table>
</main>
<footer>This page holds counts and names of columns, and no value of the file. The rows that were rejected are in
rejects.csv, by number. Terms digest <code>{{ record.terms_digest }}</code>.</footer>
</body>
</html>
"""
