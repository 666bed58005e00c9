"""Every combination of operations, from every state, under every objective.

What is answered is the smallest combination that breaks each objective. A combination is asked only
for what no fewer of its operations break in that state. The two processes are not taken for
each other: a walk over the mappings of a page comes to the first one's first.
"""

from pinlab.lab.sweep.asker import Asker as Asker
from pinlab.lab.sweep.away import Away as Away
from pinlab.lab.sweep.combination import Asked as Asked
from pinlab.lab.sweep.combination import ask as ask
from pinlab.lab.sweep.combination import combinations as combinations
from pinlab.lab.sweep.combination import names_of as names_of
from pinlab.lab.sweep.combination import only as only
from pinlab.lab.sweep.combination import possible as possible
from pinlab.lab.sweep.every import MAX_STATES as MAX_STATES
from pinlab.lab.sweep.every import SAMPLE as SAMPLE
from pinlab.lab.sweep.every import estimate as estimate
from pinlab.lab.sweep.every import first as first
from pinlab.lab.sweep.every import sweep as sweep
