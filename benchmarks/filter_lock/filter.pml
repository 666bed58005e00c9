/*
 * Peterson's filter lock for N processes: the model of benchmarks/bench_lab.py for SPIN.
 *
 * Each label is one transition: leaving the outside, announcing a level, becoming its victim,
 * the wait with what follows it, leaving the inside. NOBODY_AT(j) says that no other process
 * has reached level j; bench_lab.py defines it for its N, since Promela cannot quantify.
 */
byte level[N];
byte victim[N];
byte inside;

active [N] proctype process()
{
	byte j = 0;

outside:
	j = 1;
announce:
	level[_pid] = j;
yield:
	victim[j] = _pid;
wait:
	atomic {
		(victim[j] != _pid || NOBODY_AT(j));
		if
		:: j == N - 1 -> inside++; assert(inside == 1); j = 0
		:: else -> j++; goto announce
		fi
	}
critical:
	atomic {
		inside--;
		level[_pid] = 0;
		goto outside
	}
}
