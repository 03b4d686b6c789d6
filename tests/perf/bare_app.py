"""The smallest Typer app with two commands: what a --help cannot be quicker than."""

import typer

app = typer.Typer()


@app.command()
def one() -> None:
    """Do one thing."""


@app.command()
def two() -> None:
    """Do another."""


app()
