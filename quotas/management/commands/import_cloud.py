"""Bring in a cloud that was there before: its projects, roles, limits and use."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.lib.errors import DomainError
from portal.lib.plain import one_line
from projects.models import User
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.catalogue.document import MAX_BYTES, nearest
from quotas.catalogue.problems import MOST_SHOWN, Refused
from quotas.delivery.permits import Busy
from quotas.importing.answers import Answers
from quotas.importing.files import AnswersFile
from quotas.importing.reading import no_answers, read_answers
from quotas.importing.reporting import applied_lines, looked_lines
from quotas.importing.running import Applied, Importer, Looked, one_import
from quotas.importing.shape import Shape, load_shape
from quotas.importing.writing import answers_text
from quotas.management.lookup import person
from quotas.management.progress import Progress, span
from quotas.models import Endpoint
from quotas.states import EndpointState

# What an end of the command means, beside 0: all is as it should be, and 2: it could not run.
OPEN, FAILED, INTERRUPTED = 1, 3, 130
MOST_WORKERS = 32


class Command(BaseCommand):
    help = (
        "Take over the projects, roles, limits and use of a cloud that was there before. "
        "--dry-run stores nothing and reports every contradiction; --write-mapping writes a file "
        "to answer them in, --mapping reads it. A second run goes on where the last one ended, "
        "and changes nothing once all is taken over. Exits 1 where contradictions wait for an "
        "answer, 3 where projects could not be taken over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="look and report, store nothing")
        parser.add_argument(
            "--identity", action="append", metavar="SLUG",
            help="only this identity endpoint, may be given again (default: all)",
        )  # fmt: skip
        parser.add_argument(
            "--mapping", metavar="FILE", help="the answers, as --write-mapping wrote them"
        )
        parser.add_argument(
            "--write-mapping", metavar="FILE",
            help="write the answers there, with a line for each contradiction that is open",
        )  # fmt: skip
        parser.add_argument("--by", metavar="SUBJECT", help="who is written down as having done it")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument(
            "--workers", type=int, default=4, metavar="N",
            help="how many projects are read at once, within what endpoints allow (4)",
        )  # fmt: skip
        parser.add_argument(
            "--all", action="store_true", help="name every project in the report, however many"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["workers"] <= MOST_WORKERS:
            raise CommandError(f"--workers is from 1 to {MOST_WORKERS}.", returncode=2)
        began = time.monotonic()
        try:
            with one_import():
                code = self._run(options)
        except DomainError as error:
            raise CommandError(error.sentence, returncode=2) from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted; run it again to go on.")
            sys.exit(INTERRUPTED)
        self.stderr.write(f"In {span(time.monotonic() - began)}.")
        if code:
            sys.exit(code)

    def _run(self, options: dict[str, Any]) -> int:
        identities = self._identities(options["identity"])
        services = list(
            Endpoint.objects.filter(identity__in=identities)
            .select_related("identity", "region")
            .order_by("slug")
        )
        self._check_states([*identities, *services], is_dry=options["dry_run"])
        shape = load_shape(services)
        file = self._file(options["write_mapping"])
        answers = self._answers(options["mapping"], shape)
        importer = Importer(
            identities, services, shape, answers, actor=self._actor(options),
            workers=options["workers"], tell=Progress(self.stderr),
        )  # fmt: skip
        try:
            return self._import(importer, file, options)
        except (BackendError, Busy, UnknownDriver) as error:
            words = one_line(f"The cloud could not be read: {error}")
            raise CommandError(words, returncode=2) from error
        finally:
            importer.close()

    def _import(self, importer: Importer, file: AnswersFile | None, options: dict[str, Any]) -> int:
        looked = importer.look()
        for line in looked_lines(looked, most=0 if options["all"] else 20):
            self.stdout.write(line)
        if file is not None:
            self._write(file, answers_text(importer.answers, looked.unanswered))
        done: Applied | None = None
        self.stdout.write("")
        if options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")
        else:
            done = importer.apply()
            for line in applied_lines(done):
                self.stdout.write(line)
        calls = ", ".join(
            f"{slug} {count:,}" for slug, count in sorted(importer.asking.calls.items())
        )
        self.stdout.write(f"Calls: {calls or 'none'}.")
        return self._code(looked, done)

    def _code(self, looked: Looked, done: Applied | None) -> int:
        if done is not None and (done.failed or done.untagged):
            return FAILED
        return OPEN if looked.unanswered else 0

    def _identities(self, slugs: list[str] | None) -> list[Endpoint]:
        known = {
            each.slug: each
            for each in Endpoint.objects.filter(identity__isnull=True).order_by("slug")
        }
        if not known:
            raise CommandError(
                "There is no identity endpoint yet; load the site's file with load_catalogue.",
                returncode=2,
            )
        for slug in slugs or ():
            if slug not in known:
                raise CommandError(
                    f"{slug} is no identity endpoint{nearest(slug, known)}", returncode=2
                )
        return [known[slug] for slug in dict.fromkeys(slugs)] if slugs else list(known.values())

    def _check_states(self, endpoints: list[Endpoint], *, is_dry: bool) -> None:
        """What is paused is not called, and what may only be read takes no tag."""
        for each in endpoints:
            is_closed = each.state in (EndpointState.PAUSED, EndpointState.UNREACHABLE)
            needs_tag = each.identity_id is None and not is_dry
            if is_closed or (needs_tag and each.state != EndpointState.OPEN):
                raise CommandError(
                    f"{each.slug} is {each.get_state_display()}; open it first.", returncode=2
                )

    def _answers(self, name: str | None, shape: Shape) -> Answers:
        if name is None:
            return no_answers()
        try:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            return read_answers(raw.decode("utf-8-sig"), shape)
        except OSError as error:
            words = f"{name} cannot be read: {error.strerror}."
            raise CommandError(words, returncode=2) from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{name} is not UTF-8.", returncode=2) from error
        except Refused as refused:
            lines = [f"  {problem}" for problem in refused.problems[:MOST_SHOWN]]
            rest = len(refused.problems) - len(lines)
            lines += [f"  and {rest} more"] if rest > 0 else []
            words = "\n".join([f"Nothing was done; {name} says what cannot be:", *lines])
            raise CommandError(words, returncode=2) from refused

    def _file(self, name: str | None) -> AnswersFile | None:
        if not name:
            return None
        try:
            return AnswersFile(name)
        except OSError as error:
            words = f"{name} cannot be read: {error.strerror}."
            raise CommandError(words, returncode=2) from error

    def _write(self, file: AnswersFile, text: str) -> None:
        try:
            path = file.write(text)
        except OSError as error:
            words = f"{file.path} cannot be written: {error.strerror}."
            raise CommandError(words, returncode=2) from error
        if path != file.path:
            self.stdout.write(f"{file.path} was changed meanwhile and stays as it is.")
        self.stdout.write(f"Answers and open contradictions are in {path}.")

    def _actor(self, options: dict[str, Any]) -> User | None:
        return person(options["by"], options["issuer"]) if options["by"] else None
