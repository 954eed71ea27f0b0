"""The two scripts: one letter for one phoneme, no letter shared, no letter that Unicode normalisation would take apart."""

from dataclasses import dataclass

from xltransfer.data.world.phonology import PAD, PHONEMES, Forms


@dataclass(frozen=True)
class Script:
    """A script: its name as in languages.csv, and its letters in the order of ``phonology.PHONEMES``."""

    name: str
    letters: str

    def spell(self, form: Forms) -> str:
        """Return the spelling of one form [segment]."""
        return "".join([self.letters[number] for number in form.tolist() if number != PAD])


SCRIPTS = (Script("Latin", PHONEMES), Script("Cyrillic", "пбтдкгфвзсшхчмнлржюцаеиоуы"))
