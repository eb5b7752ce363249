#!/usr/bin/env escript
%% Erlang as a contender: the workloads of the benches `local` and `remote`, with the same counts, timed within the virtual
%% machine. The bench starts this script with the workload and its counts, and reads the figure from its output.
%%
%% Actors are plain processes with a receive loop. A call is a message with a reference, which the answer repeats. gen_server
%% adds a monitor for each call, which costs twice as much with one caller, and five times as much with 64.
-mode(compile).

main(["there"]) ->
    ok;
main(["local", Workload | Counts]) ->
    tell(local(Workload, [list_to_integer(Count) || Count <- Counts]));
main(["serve", Port]) ->
    register(service, self()),
    io:format("~s~n", [Port]),
    serve(0);
main(["client", Workload | Counts]) ->
    Service = {service, 'server@127.0.0.1'},
    0 = call(Service, 0, text()),
    tell(remote(Workload, Service, [list_to_integer(Count) || Count <- Counts])).

tell(Figure) -> io:format("~p~n", [float(Figure)]).

%% Within one virtual machine.

local("one-way", [Messages]) ->
    Counter = spawn_counter(),
    Start = now_ns(),
    send(Counter, Messages),
    Messages = get_sum(Counter),
    millions(Messages, Start);
local("fan-in", [Messages]) ->
    Counter = spawn_counter(),
    Start = now_ns(),
    parallel(4, fun() -> send(Counter, Messages div 4) end),
    until_sum(Counter, Messages div 4 * 4),
    millions(Messages, Start);
local("call", [Calls]) ->
    Counter = spawn_counter(),
    median([batch(fun() -> get_sum(Counter) end, 10) || _ <- lists:seq(1, Calls div 10)]);
local("calls-64", [Calls]) ->
    Counter = spawn_counter(),
    Start = now_ns(),
    parallel(64, fun() -> repeat(Calls div 64, fun() -> get_sum(Counter) end) end),
    millions(Calls, Start);
local("ping-pong", [Trips]) ->
    ring(2, 2 * Trips) / 2;
local("ring", [Actors, Hops]) ->
    ring(Actors, Hops);
local("spawn-stop", [Spawns]) ->
    Start = now_ns(),
    waves(Spawns),
    millions(Spawns, Start);
local("memory", [Actors]) ->
    visit_all(counters(100)),
    Before = resident(),
    Counters = counters(Actors),
    visit_all(Counters),
    Growth = resident() - Before,
    %% Keeps the list of processes, as the other contenders keep their handles.
    true = length(Counters) =:= Actors,
    Growth / Actors;
local("visit", [Actors]) ->
    Counters = counters(Actors),
    visit_all(Counters),
    Start = now_ns(),
    visit_all(Counters),
    (now_ns() - Start) / 1.0e6;
local("tree", [Depth]) ->
    Start = now_ns(),
    Self = self(),
    spawn(fun() -> branch(Self, Depth) end),
    Actors = receive {report, Sum} -> Sum end,
    Took = now_ns() - Start,
    true = Actors =:= (round(math:pow(10, Depth + 1)) - 1) div 9,
    Took / 1.0e6.

%% Its queue may hold a million messages, which its garbage collector should not copy.
spawn_counter() ->
    spawn_opt(fun() -> counter(0) end, [{message_queue_data, off_heap}]).

counters(Count) -> [spawn(fun() -> counter(0) end) || _ <- lists:seq(1, Count)].

counter(Sum) ->
    receive
        {add, Number} -> counter(Sum + Number);
        {visit, Latch, Owner} -> open(Latch, Owner), counter(Sum);
        {get, From, Ref} -> From ! {Ref, Sum}, counter(Sum)
    end.

get_sum(Counter) ->
    Ref = make_ref(),
    Counter ! {get, self(), Ref},
    receive {Ref, Sum} -> Sum end.

%% Messages of different processes have no order: the call may overtake those of a sender that has ended.
until_sum(Counter, Sum) ->
    case get_sum(Counter) of
        Sum -> ok;
        _ -> until_sum(Counter, Sum)
    end.

send(_, 0) -> ok;
send(Counter, Left) ->
    Counter ! {add, 1},
    send(Counter, Left - 1).

%% A message to each. The last one that is handled opens the latch.
visit_all(Counters) ->
    Latch = atomics:new(1, []),
    atomics:put(Latch, 1, length(Counters)),
    Self = self(),
    [Counter ! {visit, Latch, Self} || Counter <- Counters],
    receive {open, Latch} -> ok end.

open(Latch, Owner) ->
    case atomics:sub_get(Latch, 1, 1) of
        0 -> Owner ! {open, Latch};
        _ -> ok
    end.

%% At most a thousand processes live at a time.
waves(0) -> ok;
waves(Left) ->
    Wave = min(Left, 1000),
    Latch = atomics:new(1, []),
    atomics:put(Latch, 1, Wave),
    Self = self(),
    repeat(Wave, fun() ->
        spawn(fun() -> receive stop -> open(Latch, Self) end end) ! stop
    end),
    receive {open, Latch} -> ok end,
    waves(Left - Wave).

ring(Actors, Hops) ->
    Self = self(),
    Relays = [First | Others] = [spawn(fun() -> relay(Self) end) || _ <- lists:seq(1, Actors)],
    [Relay ! {link, Next} || {Relay, Next} <- lists:zip(Relays, Others ++ [First])],
    pass(First, Actors),
    Start = now_ns(),
    Passed = laps(First, Hops, Hops div 20, 0, Start),
    millions(Passed, Start).

%% A second of hops is enough.
laps(First, Hops, Part, Passed, Start) ->
    case Passed < Hops andalso now_ns() - Start < 1000000000 of
        true -> pass(First, Part), laps(First, Hops, Part, Passed + Part, Start);
        false -> Passed
    end.

pass(First, Hops) ->
    First ! {pass, Hops},
    receive done -> ok end.

relay(Owner) -> receive {link, Next} -> relay(Owner, Next) end.

relay(Owner, Next) ->
    receive
        {pass, 0} -> Owner ! done;
        {pass, Hops} -> Next ! {pass, Hops - 1}
    end,
    relay(Owner, Next).

branch(Parent, 0) -> Parent ! {report, 1};
branch(Parent, Depth) ->
    Self = self(),
    repeat(10, fun() -> spawn(fun() -> branch(Self, Depth - 1) end) end),
    Parent ! {report, reports(10, 1)}.

reports(0, Sum) -> Sum;
reports(Left, Sum) -> receive {report, Actors} -> reports(Left - 1, Sum + Actors) end.

resident() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s+(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Kilobytes) * 1024.

%% Between two virtual machines.

serve(Count) ->
    receive
        {put, Number, Text} when is_integer(Number), is_binary(Text) -> serve(Count + 1);
        {call, From, Ref, Number, Text} when is_integer(Number), is_binary(Text) -> From ! {Ref, Count}, serve(Count)
    end.

remote("one-way", Service, [Messages]) ->
    put_all(Service, Messages, text()) / 1.0e6;
remote("calls-64", Service, [Calls]) ->
    Start = now_ns(),
    parallel(64, fun() -> call_all(Service, Calls div 64) end),
    Calls * 1.0e6 / (now_ns() - Start);
remote("payload", Service, [Size, Bytes]) ->
    Payload = binary:copy(text(), Size div byte_size(text())),
    put_all(Service, Bytes div Size, Payload) * Size / 1.0e6;
remote("call", Service, [Calls]) ->
    median([batch(fun() -> call(Service, Number, text()) end, 1) || Number <- lists:seq(1, Calls)]) / 1.0e3.

%% The number of messages per second.
put_all(Service, Messages, Text) ->
    Start = now_ns(),
    put_each(Service, 0, Messages, Text),
    Messages = call(Service, 0, Text),
    Messages * 1.0e9 / (now_ns() - Start).

put_each(_, Messages, Messages, _) -> ok;
put_each(Service, Number, Messages, Text) ->
    Service ! {put, Number, Text},
    put_each(Service, Number + 1, Messages, Text).

call_all(_, 0) -> ok;
call_all(Service, Left) ->
    call(Service, Left, text()),
    call_all(Service, Left - 1).

call(Service, Number, Text) ->
    Ref = make_ref(),
    Service ! {call, self(), Ref, Number, Text},
    receive {Ref, Count} -> Count end.

text() -> <<"0123456789abcdefghijklmnopqrstuv">>.

%% Both.

parallel(Count, Run) ->
    Tasks = [spawn_monitor(Run) || _ <- lists:seq(1, Count)],
    [receive {'DOWN', Task, _, _, normal} -> ok end || {_, Task} <- Tasks].

repeat(0, _) -> ok;
repeat(Left, Run) -> Run(), repeat(Left - 1, Run).

%% The nanoseconds of one of so many runs.
batch(Run, Count) ->
    Start = now_ns(),
    repeat(Count, Run),
    (now_ns() - Start) / Count.

median(Figures) -> lists:nth((length(Figures) + 1) div 2, lists:sort(Figures)).

millions(Count, Start) -> Count * 1.0e3 / (now_ns() - Start).

now_ns() -> erlang:monotonic_time(nanosecond).
