"""Runs that die at a fault point, as a kill would end them."""

from lake import fault_points


class Killed(BaseException):
    """As a kill would: nothing below catches it."""


def dies(point):
    def action(reached):
        if reached == point:
            raise Killed(point)

    return fault_points.armed(action)
