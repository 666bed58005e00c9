-- Peterson's filter lock for N processes: the model of benchmarks/bench_lab.py for Rumur.
-- One rule is one labelled step. bench_lab.py puts the number of processes in place of @N@.
const
  N: @N@;
type
  process: 0 .. N-1;
  height: 0 .. N-1;
  place: enum { outside, announce, yield, waiting, inside };
var
  at: array [process] of place;
  j: array [process] of height;
  level: array [process] of height;
  victim: array [height] of process;

function alone(p: process): boolean;
begin
  for q: process do
    if q != p & level[q] >= j[p] then
      return false;
    end;
  end;
  return true;
end;

startstate
begin
  for p: process do
    at[p] := outside;
    j[p] := 0;
    level[p] := 0;
  end;
  for h: height do
    victim[h] := 0;
  end;
end;

ruleset p: process do
  rule "start"
    at[p] = outside
  ==>
  begin
    j[p] := 1;
    at[p] := announce;
  end;

  rule "announce"
    at[p] = announce
  ==>
  begin
    level[p] := j[p];
    at[p] := yield;
  end;

  rule "yield"
    at[p] = yield
  ==>
  begin
    victim[j[p]] := p;
    at[p] := waiting;
  end;

  rule "wait"
    at[p] = waiting & (victim[j[p]] != p | alone(p))
  ==>
  begin
    if j[p] = N-1 then
      j[p] := 0;
      at[p] := inside;
    else
      j[p] := j[p] + 1;
      at[p] := announce;
    end;
  end;

  rule "leave"
    at[p] = inside
  ==>
  begin
    level[p] := 0;
    at[p] := outside;
  end;
end;

invariant "mutual exclusion"
  forall p: process do
    forall q: process do
      p = q | at[p] != inside | at[q] != inside
    end
  end;
