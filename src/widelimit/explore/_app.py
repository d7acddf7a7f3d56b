# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The app: any page from its declaration. marimo runs this file; all that it does is in `_session`."""

import marimo

app = marimo.App(width="full", app_title="widelimit explore")


@app.cell
def _():
    from widelimit.explore import _session as session

    return (session,)


@app.cell
def _(session):
    choice = session.choice()
    session.header(choice)
    return (choice,)


@app.cell
def _(session, choice):
    page = session.page_of(choice)
    session.title(page)
    return (page,)


@app.cell
def _(session, moment, page, play, sliders, store):
    session.show(page, sliders.value, moment.value, play.value, store)


@app.cell
def _(session, page, reset):
    # Made anew by another page, and by the button that sets all back.
    _ = reset.value
    sliders, moment, play, store = session.controls(page)
    return moment, play, sliders, store


@app.cell
def _(session):
    reset = session.reset_button()
    return (reset,)


@app.cell
def _(session, moment, page, play, reset, sliders):
    session.panel(page, sliders, moment, play, reset)


@app.cell
def _(session, page):
    session.explanation(page)


if __name__ == "__main__":
    app.run()
