"""Runs a program on a pseudo-terminal of 24 rows and 80 columns, for commandLine.spec.ts.

Standard input is what is typed, standard output is what the terminal shows. Ends with the program's exit code.
"""

import os
import pty
import sys

sized = ["sh", "-c", 'stty rows 24 cols 80 && exec "$@"', "sh"]
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sized + sys.argv[1:])))
