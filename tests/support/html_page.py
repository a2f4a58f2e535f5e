"""A page as a test reads it: its sections' words, and what its cells say that they count."""

from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr", "path", "line", "rect", "circle"}


class Page(HTMLParser):
    """`sections`: the words of each `section`, by id; `data`: the words of each element with `data-…`, by
    (name, value)."""

    def __init__(self, html):
        super().__init__()
        self.sections, self.data, self.ids, self._open = {}, {}, [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        if "id" in held:
            self.ids.append(held["id"])
        if tag not in VOID:
            self._open.append((tag, held))

    def handle_endtag(self, tag):
        if tag in ("td", "th", "small"):
            self.handle_data(" ")
        if tag not in VOID:
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, words):
        for tag, held in self._open:
            if tag == "section":
                self.sections[held["id"]] = self.sections.get(held["id"], "") + words
            for name, value in held.items():
                if name.startswith("data-"):
                    self.data[name, value] = self.data.get((name, value), "") + words

    def number(self, name, value):
        """What stands in the cell, its first word, as a whole number."""
        return int(self.data[f"data-{name}", value].split()[0].replace(",", ""))
