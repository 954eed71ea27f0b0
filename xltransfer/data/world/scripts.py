"""The two scripts: one letter for one phoneme, none in both, none that Unicode normalisation would take apart."""

from dataclasses import dataclass

from xltransfer.data.world.phonology import PAD, PHONEMES, Forms


@dataclass(frozen=True)
class Script:
    """A script: its ISO 15924 code, and its letters in the order of ``phonology.PHONEMES``."""

    code: str
    letters: str

    def spell(self, form: Forms) -> str:
        """Return the spelling of one form [segment]."""
        return "".join([self.letters[number] for number in form.tolist() if number != PAD])


SCRIPTS = (Script("Latn", PHONEMES), Script("Cyrl", "пбтдкгфвзсшхчмнлржюцаеиоуы"))
