"""From files to sentences, lines and blocks of tokens; the audit of a study's data; the artificial world."""
