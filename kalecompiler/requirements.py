from dataclasses import dataclass


@dataclass
class Wanted:
    packages: dict; files: dict; findings: list
def of_steps(reading, flow, code):
    return Wanted({c.name: () for c in flow.steps}, {c.name: () for c in flow.steps}, [])
