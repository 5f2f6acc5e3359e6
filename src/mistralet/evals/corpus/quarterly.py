"""A quarterly report with tables and charts, and questions whose answers stand in its text or in its charts."""

from __future__ import annotations

from random import Random
from typing import Any

from mistralet.documents.pdf_fonts import FONT
from mistralet.evals.corpus.sheets import Flow, new_page, pdf_of, space, styles, table, text
from mistralet.evals.corpus.truth import FileTruth, Question

_NAME = "quarterly-report.pdf"
_AREAS = ("Lamps", "Sensors", "Cables", "Services", "Licences")
_REGIONS = ("Benelux", "France", "Iberia", "Nordics", "Italy")
_QUARTERS = ("Q1", "Q2", "Q3", "Q4")
_TOPICS = (
    "Demand was even over the three months, and orders at the end of the quarter were above those at its start.",
    "Costs of freight fell for the second time in a row, while those of copper rose.",
    "Two suppliers were replaced, which shortened delivery from nine to six weeks.",
    "A new line was started in the plant at the river; it runs in two shifts.",
    "Customers asked for longer warranties, and were given them against a small fee.",
    "The board expects the coming quarter to be quieter, as is usual in summer.",
    "No court case of importance was open at the end of the quarter.",
    "Staff turnover stayed low, and sick leave fell to the level of the year before.",
)


def make_quarterly() -> tuple[dict[str, bytes], list[FileTruth]]:
    """The file, and forty questions: twenty of the text, twenty of the charts."""
    draw = Random(77)
    flow: Flow = [text("Greyfell Instruments Ltd", "title"), text("Report on the second quarter of 2025", "heading")]
    flow += [text(" ".join(draw.sample(_TOPICS, 6))) for _ in range(3)]
    asked: list[Question] = []
    for place, area in enumerate(_AREAS):
        page = 2 * place + 2
        flow += [new_page(), *_text_page(draw, area, page, asked)]
        flow += [new_page(), *_chart_page(draw, area, page + 1, place, asked)]
    flow += [new_page(), text("Outlook", "heading"), *[text(" ".join(draw.sample(_TOPICS, 6))) for _ in range(3)]]
    truth = FileTruth(_NAME, "report", "en", 2 * len(_AREAS) + 2, tuple(asked))
    return {_NAME: pdf_of(flow, "Report on the second quarter of 2025", _decorate)}, [truth]


def _text_page(draw: Random, area: str, page: int, asked: list[Question]) -> Flow:
    sales, margin = draw.randrange(200, 990), draw.randrange(80, 310) / 10
    staff, orders = draw.randrange(20, 300), draw.randrange(300, 4000)
    sold = f"EUR {sales} thousand"
    told = {
        f"What were the sales of {area} in the quarter?": (sold, f"{area} sold for {sold}."),
        f"How high was the margin of {area}?": (f"{margin} percent", f"The margin of {area} was {margin} percent."),
        f"How many people work for {area}?": (str(staff), f"At the end of June, {staff} people worked for {area}."),
        f"How many orders did {area} receive?": (f"{orders:,}", f"{area} received {orders:,} orders."),
    }
    sentences = []
    for question, (answer, sentence) in told.items():
        number = answer.removeprefix("EUR ").split()[0]
        asked.append(Question(question, (answer, number), page, sentence))
        sentences += [sentence, draw.choice(_TOPICS)]
    rows = [("Region", "Sales", "Orders")]
    rows += [(region, str(draw.randrange(20, 200)), str(draw.randrange(60, 800))) for region in _REGIONS]
    return [
        text(f"{area}: the quarter", "heading"),
        *(text(" ".join(sentences[start : start + 4])) for start in range(0, len(sentences), 4)),
        space(10),
        table(rows, (200, 120, 120), numbers=(1, 2)),
        space(10),
        text(" ".join(draw.sample(_TOPICS, 5))),
    ]


def _chart_page(draw: Random, area: str, page: int, place: int, asked: list[Question]) -> Flow:
    values = [draw.randrange(2, 20) * 5 for _ in _QUARTERS]
    while len(set(values)) < len(values):
        values = [draw.randrange(2, 20) * 5 for _ in _QUARTERS]
    most, least = _QUARTERS[values.index(max(values))], _QUARTERS[values.index(min(values))]
    one = draw.randrange(len(values))
    for question, answer in (
        (f"In the chart of {area} by quarter, which quarter has the highest value?", most),
        (f"In the chart of {area} by quarter, which quarter has the lowest value?", least),
        (f"In the chart of {area} by quarter, what is the value of {_QUARTERS[one]}?", str(values[one])),
        (f"In the chart of {area} by quarter, by how much does {most} exceed {least}?", str(max(values) - min(values))),
    ):
        asked.append(Question(question, (answer,), page, "", of_chart=True))
    chart = (_bars, _line, _pie)[place % 3](values)
    heading = text(f"{area} by quarter, in EUR thousand", "heading")
    return [heading, chart, space(12), text(" ".join(draw.sample(_TOPICS, 5)))]


def _bars(values: list[int]) -> Any:
    from reportlab.graphics.charts.barcharts import VerticalBarChart

    chart = VerticalBarChart()
    chart.bars[0].fillColor = _colour(0)
    chart.barLabels.nudge = 8
    chart.barLabelFormat = "%d"
    chart.barLabels.fontName = FONT
    return _axes(chart, values)


def _line(values: list[int]) -> Any:
    from reportlab.graphics.charts.linecharts import HorizontalLineChart

    chart = HorizontalLineChart()
    chart.lines[0].strokeColor = _colour(1)
    chart.lines[0].strokeWidth = 2
    chart.lineLabelFormat = "%d"
    chart.lineLabels.fontName = FONT
    return _axes(chart, values)


def _axes(chart: Any, values: list[int]) -> Any:
    from reportlab.graphics.shapes import Drawing

    styles()
    chart.x, chart.y, chart.width, chart.height = 40, 30, 400, 200
    chart.data = [values]
    chart.categoryAxis.categoryNames = list(_QUARTERS)
    chart.categoryAxis.labels.fontName = chart.valueAxis.labels.fontName = FONT
    chart.valueAxis.valueMin, chart.valueAxis.valueMax, chart.valueAxis.valueStep = 0, 100, 20
    drawing = Drawing(460, 250)
    drawing.add(chart)
    return drawing


def _pie(values: list[int]) -> Any:
    from reportlab.graphics.charts.piecharts import Pie
    from reportlab.graphics.shapes import Drawing

    styles()
    chart = Pie()
    chart.x, chart.y, chart.width, chart.height = 130, 25, 200, 200
    chart.data = values
    chart.labels = [f"{name}: {value}" for name, value in zip(_QUARTERS, values, strict=True)]
    for place in range(len(values)):
        chart.slices[place].fillColor = _colour(place)
        chart.slices[place].fontName = FONT
    drawing = Drawing(460, 250)
    drawing.add(chart)
    return drawing


def _colour(place: int) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(("#fa520f", "#1f6f8b", "#ffaf00", "#6b4e71")[place])


def _decorate(canvas: Any, _template: Any) -> None:
    canvas.setFont(FONT, 8)
    canvas.drawString(62, 800, "Greyfell Instruments Ltd · Q2 2025")
    canvas.drawCentredString(297, 36, str(canvas.getPageNumber()))
