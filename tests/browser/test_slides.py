"""The decks as an audience and a speaker meet them: one load per chapter, with every request refused."""

import pytest
from exported import CHAPTERS, aside, explorers_answer, offline, violations

from tools import slides
from tools.assets import LIMIT
from tools.chapter import load

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_deck(browser, tmp_path, path):
    (deck,) = aside(slides.build, [load(path)], tmp_path, quick=True, log=None)
    assert deck.stat().st_size < LIMIT
    lab = offline(browser, deck)
    page = lab.page

    # every slide of the notebook is there, fits, and its formulas are typeset
    cells = [cell for cell in load(path).cells if cell.slide != "skip"]
    shown = page.locator(".slides .body").evaluate_all(
        "bodies => bodies.map(body => [+body.parentElement.dataset.over, body.textContent.trim().slice(0, 60)])")
    assert len(shown) == sum(cell.slide in ("slide", "subslide") for cell in cells if cell.text.strip())
    over = [f"slide {i}: {much} % too much: {said!r}" for i, (much, said) in enumerate(shown, 1) if much]
    assert not over, "\n".join(over)
    assert page.locator("mjx-container").count() >= page.locator("span.math").count()
    assert page.locator("mjx-merror, .slides [data-mjx-error]").count() == 0

    # keys: a clicker turns the slide even when a control has the focus, arrows stay with the control
    at = lambda: page.evaluate("Reveal.getSlidePastCount()")
    turn = lambda key: (page.keyboard.press(key), page.wait_for_timeout(60))
    turn("PageDown")
    turn(" ")
    assert at() == 2
    figures, count = page.locator(".live"), sum(cell.shows_explorer for cell in cells)
    assert figures.count() == count
    for i in range(count):
        figure = figures.nth(i)
        figure.evaluate("f => { const s = Reveal.getIndices(f.closest('section')); Reveal.slide(s.h, s.v, 99); }")
        page.wait_for_timeout(100)
        explorers_answer([figure])
        sliders, here = figure.locator("input[type=range]:visible"), at()
        if sliders.count():
            sliders.first.focus()
            value = sliders.first.input_value()
            turn("ArrowLeft")
            turn("ArrowRight")
            turn("ArrowLeft")
            assert at() == here, "an arrow key on a focused slider must not turn the slide"
            assert sliders.first.input_value() != value or value == "0"
            turn("PageDown")
            assert at() != here, "PageDown on a focused slider must turn the slide"

    # notes are there for the speaker, not for the audience; and everybody can read what is shown
    assert page.locator("aside.notes:visible").count() == 0
    assert page.evaluate("Reveal.hasPlugin('notes')")
    page.evaluate("""() => { document.documentElement.classList.add('measure');
        const plain = 'position: static; transform: none; overflow: visible; height: auto; width: auto; inset: auto';
        document.querySelectorAll('html, body, .reveal, .slides').forEach(node => { node.style.cssText = plain; });
        document.querySelectorAll('.backgrounds, .progress, .controls, .slide-number').forEach(node => node.remove());
        document.querySelectorAll('.slides section').forEach(s => {
            s.hidden = false;
            s.removeAttribute('aria-hidden');
            s.style.cssText = 'position: relative !important; visibility: visible !important; '
                + 'transform: none; opacity: 1; ' + (s.classList.contains('stack') ? 'height: auto' : ''); }); }""")
    assert violations(page, ".slides") == []
    assert lab.problems == []
    page.close()


def test_print_view(browser, tmp_path):
    (deck,) = aside(slides.build, [load(CHAPTERS[0])], tmp_path, quick=True, log=None)
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(deck.as_uri() + "?view=print")
    page.wait_for_function("document.documentElement.dataset.ready === 'all'", timeout=90_000)
    pages = page.locator(".pdf-page")
    assert pages.count() >= page.locator(".slides .body").count() > 10
    assert page.locator(".live-grid:visible").count() == 0
    page.close()


def test_speaker_view(browser, tmp_path):
    (deck,) = aside(slides.build, [load(CHAPTERS[0])], tmp_path, quick=True, log=None)
    lab = offline(browser, deck)
    noted = lab.page.locator("section:has(> aside.notes)").first
    said = noted.locator("aside.notes").first.text_content().strip()[:25]
    noted.evaluate("s => { const i = Reveal.getIndices(s); Reveal.slide(i.h, i.v, 99); }")
    with lab.page.expect_popup() as opened:
        lab.page.keyboard.press("s")
    opened.value.get_by_text(said).first.wait_for(timeout=20_000)
    assert lab.problems == []
    opened.value.close()
    lab.page.close()
