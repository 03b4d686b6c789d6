"""The result as JUnit XML, as far as GitHub, GitLab, Jenkins and CircleCI read it.

Source: https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from promthctl.pgtap.running import FileResult, TestRun
from promthctl.pgtap.tap import Assertion

_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML cannot have


def junit(run: TestRun) -> str:
    """A document: a suite for each file, a case for each assertion, and one for what is wrong with the file itself."""
    suites = [_suite(file) for file in run.files]
    root = Element("testsuites", _counts(suites) | {"name": run.database, "time": f"{run.seconds:.3f}"})
    root.extend(suites)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(file: FileResult) -> Element:
    suite = Element("testsuite", {"name": _clean(file.file), "file": _clean(file.file), "time": f"{file.seconds:.3f}"})
    for assertion in file.assertions:
        _case(suite, file, assertion)
    for problem in file.problems:
        case = _new_case(suite, file, problem.message.partition("\n")[0], problem.place.file, problem.place.line)
        SubElement(case, "error", {"message": _clean(problem.message)}).text = _clean(
            f"{problem.place}\n{problem.message}"
        )
    if file.bailed is not None:
        case = _new_case(suite, file, "Bail out!", file.file, 1)
        SubElement(case, "error", {"message": _clean(file.bailed)})
    if file.skipped is not None:
        case = _new_case(suite, file, file.file, file.file, 1)
        SubElement(case, "skipped", {"message": _clean(file.skipped)})
    for name, value in _counts([suite], within=True).items():
        suite.set(name, value)
    return suite


def _case(suite: Element, file: FileResult, one: Assertion) -> None:
    case = _new_case(suite, file, one.name or f"test {one.number}", one.place.file, one.place.line)
    if one.failed:
        failure = SubElement(case, "failure", {"message": _clean(one.name)})
        failure.text = _clean("\n".join((str(one.place), *one.diagnostics)))
    elif one.directive:
        SubElement(case, "skipped", {"message": _clean(f"{one.directive} {one.reason}".strip())})


def _new_case(suite: Element, file: FileResult, name: str, place: str, line: int) -> Element:
    return SubElement(
        suite,
        "testcase",
        {"classname": _clean(file.file), "name": _clean(name), "file": _clean(place), "line": str(line)},
    )


def _counts(suites: list[Element], within: bool = False) -> dict[str, str]:
    """tests, failures, errors and skipped of suites; within: of the cases of one."""
    if within:
        (suite,) = suites
        kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
        counts = {name: len(suite.findall(f"testcase/{tag}")) for name, tag in kinds.items()}
        counts["tests"] = len(suite.findall("testcase"))
    else:
        names = ("failures", "errors", "skipped", "tests")
        counts = {name: sum(int(suite.get(name, "0")) for suite in suites) for name in names}
    return {name: str(number) for name, number in counts.items()}


def _clean(text: str) -> str:
    from promthctl.redact import redact

    return _NO_XML.sub("\ufffd", redact(text))
