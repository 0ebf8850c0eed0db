"""Puts one document after another in force: `reloader.py PATH` attaches to the state at PATH, and follows the orders that
workers do. Its `picks` are the documents."""

from __future__ import annotations

import itertools
import json
import sys

from loadwise import Engine, Error

from orders import Input
from states import document


def main() -> None:
    engine, given = Engine.attach(sys.argv[1]), Input()
    done = errors = 0
    print("ready", flush=True)
    for variant in itertools.count():
        while given.is_there():
            order = given.line()
            if order == "pause":
                print(json.dumps({"held": 0, "picks": done, "errors": errors, "repeats": 0}), flush=True)
            elif order == "quit":
                return
            if order == "pause" and given.line() == "quit":
                return
        try:
            engine.reload(document(variant))
            done += 1
        except Error as error:
            print(error, file=sys.stderr, flush=True)
            errors += 1


main()
