"""Drives a server through redis-py, as an application would, and prints what came back.

    python3 spine.py --port 6379                     the transcript, on stdout
    python3 spine.py --port 6379 --against FILE      compares with a recorded transcript; exit status 1 on a difference
    python3 spine.py --port 6379 --wire FILE         also writes the commands as a conformance script

The database is flushed. Each call is one line: the method, its arguments and the normalised result. Sets are sorted;
results that vary by nature are shown by their type.
"""

import argparse
import datetime
import difflib
import sys
import warnings

import redis


class Wire:
    """What redis-py sent, as lines of a conformance script."""

    def __init__(self):
        self.lines = []
        self.rule = ""
        self.on = True

    def add(self, args):
        if not self.on:
            return
        words = []
        for arg in args:
            if isinstance(arg, str):
                arg = arg.encode()
            elif isinstance(arg, (int, float)):
                arg = repr(arg).encode()
            # redis-py sends "CLIENT LIST" as one argument; on the wire it is two.
            for part in arg.split() if not words else [arg]:
                words.append(quoted(bytes(part)))
        self.lines.append("> " + " ".join(words))
        if self.rule:
            self.lines.append(self.rule)


def quoted(data):
    if len(data) > 1000 and len(set(data)) == 1:
        return "{{%d*%s}}" % (len(data), quoted(data[:1]))
    plain = data and all(33 <= b <= 126 and b not in b"\"'\\{}#" for b in data)
    if plain:
        return data.decode()
    out = ""
    for b in data:
        if b in b'"\\':
            out += "\\" + chr(b)
        elif 32 <= b <= 126:
            out += chr(b)
        else:
            out += "\\x%02x" % b
    return '"' + out + '"'


def recording(wire):
    class Recording(redis.Connection):
        def send_command(self, *args, **kwargs):
            wire.add(args)
            return super().send_command(*args, **kwargs)

        def pack_commands(self, commands):
            commands = list(commands)
            for args in commands:
                wire.add(args)
            return super().pack_commands(commands)

    return Recording


def normalised(value):
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(normalised(v) for v in value)) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{normalised(k)}: {normalised(v)}" for k, v in sorted(value.items(), key=lambda i: repr(i[0]))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(normalised(v) for v in value) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(normalised(v) for v in value) + ")"
    if isinstance(value, Exception):
        return f"!{type(value).__name__}: {value}"
    return repr(value)


def brief(text):
    return text if len(text) < 200 else f"{text[:20]}… ({len(text)} characters)"


class Session:
    def __init__(self, port, protocol, wire, out):
        self.wire = wire
        self.out = out
        options = dict(host="127.0.0.1", port=port, db=0, protocol=protocol, lib_name=None, lib_version=None)
        pool = redis.ConnectionPool(connection_class=recording(wire), max_connections=1, **options)
        wire.on = False
        self.redis = redis.Redis(connection_pool=pool)
        self.redis.flushall()
        wire.on = True

    def call(self, method, *args, rule="", varies=False, sort=False, **kwargs):
        """One call. `rule` is the matcher for its reply on the wire."""
        self.wire.rule = rule
        try:
            result = getattr(self.redis, method)(*args, **kwargs)
        except redis.RedisError as error:
            result = error
        self.wire.rule = ""
        if varies:
            shown = "a " + type(result).__name__
        elif sort and isinstance(result, list):
            shown = normalised(sorted(result))
        elif sort and isinstance(result, tuple):
            shown = normalised((result[0], sorted(result[1])))
        else:
            shown = normalised(result)
        words = [brief(repr(a)) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
        self.out.append(f"{method}({', '.join(words)}) -> {shown}")
        return result

    def pipe(self, *calls, transaction=True):
        """A pipeline of (method, args…)."""
        pipe = self.redis.pipeline(transaction=transaction)
        for method, *args in calls:
            getattr(pipe, method)(*args)
        try:
            result = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            result = error
        self.out.append(f"pipeline{calls!r} -> {normalised(result)}")


UNORDERED = "<:unordered"


def strings(s):
    call = s.call
    call("set", "k", "v")
    call("get", "k")
    call("get", "missing")
    call("set", "k", "w", nx=True)
    call("set", "k", "w", xx=True)
    call("set", "k", "x", get=True)
    call("set", "k", "y", ex=100)
    call("ttl", "k")
    call("set", "k", "z", keepttl=True)
    call("ttl", "k")
    call("set", "k", "z", px=datetime.timedelta(seconds=200))
    call("ttl", "k")
    call("set", "k", "z", exat=33177117420)
    call("expiretime", "k")
    call("set", "k", "z", pxat=33177117420123)
    call("pexpiretime", "k")
    call("set", "k", "v", ex=0)
    call("setnx", "k", "w")
    call("setnx", "fresh", "w")
    call("setex", "k", 100, "v")
    call("psetex", "k", 100000, "v")
    call("mset", {"a": "1", "b": "2", "c": "3"})
    call("mget", "a", "b", "missing", "c")
    call("msetnx", {"c": "9", "d": "9"})
    call("msetnx", {"d": "4", "e": "5"})
    call("getset", "a", "10")
    call("getdel", "a")
    call("getdel", "a")
    call("getex", "b", ex=100)
    call("ttl", "b")
    call("getex", "b", persist=True)
    call("ttl", "b")
    call("append", "log", "hello")
    call("append", "log", " world")
    call("strlen", "log")
    call("getrange", "log", 0, 4)
    call("getrange", "log", -5, -1)
    call("substr", "log", 0, 4)
    call("setrange", "log", 6, "redis")
    call("get", "log")
    call("setrange", "pad", 3, b"\x00\xff")
    call("get", "pad")
    call("incr", "n")
    call("incr", "n", 41)
    call("decr", "n")
    call("decr", "n", 10)
    call("incrby", "n", 5)
    call("decrby", "n", 5)
    call("incrbyfloat", "f", 10.5)
    call("incrbyfloat", "f", 0.1)
    call("incrbyfloat", "f", -1e-3)
    call("get", "f")
    call("incr", "log")
    call("set", "edge", 9223372036854775807)
    call("incr", "edge")
    call("mset", {"rna1": "ohmytext", "rna2": "mynewtext"})
    call("lcs", "rna1", "rna2")
    call("lcs", "rna1", "rna2", len=True)
    call("lcs", "rna1", "rna2", idx=True)
    call("lcs", "rna1", "rna2", idx=True, minmatchlen=4, withmatchlen=True)
    call("set", b"bin\x00\r\n\xff", b"\x00\r\n\xff")
    call("get", b"bin\x00\r\n\xff")
    call("set", "big", "x" * 70000)
    call("strlen", "big")
    call("delete", "big")


def sets(s):
    call = s.call
    call("sadd", "s", "a", "b", "c")
    call("sadd", "s", "a", "d")
    call("scard", "s")
    call("smembers", "s", rule=UNORDERED)
    call("sismember", "s", "a")
    call("sismember", "s", "z")
    call("smismember", "s", "a", "z", "b")
    call("srem", "s", "a", "missing")
    call("sadd", "t", "b", "x")
    call("sinter", "s", "t", rule=UNORDERED)
    call("sunion", "s", "t", rule=UNORDERED)
    call("sdiff", "s", "t", rule=UNORDERED)
    call("sintercard", 2, ["s", "t"])
    call("sintercard", 2, ["s", "t"], 1)
    call("sinterstore", "d", "s", "t")
    call("sunionstore", "d", "s", "t")
    call("smembers", "d", rule=UNORDERED)
    call("sdiffstore", "d", "s", "t")
    call("sdiffstore", "d", "missing")
    call("exists", "d")
    call("smove", "s", "t", "b")
    call("smove", "s", "t", "missing")
    call("sadd", "one", "only")
    call("srandmember", "one")
    call("srandmember", "one", 5)
    call("srandmember", "one", -3)
    call("spop", "one")
    call("spop", "one")
    call("sadd", "many", *range(100))
    call("spop", "many", 3, varies=True, rule="<:is array | set")
    call("scard", "many")
    call("srandmember", "many", varies=True, rule="<:is bulk")
    call("sscan", "t", 0, sort=True, rule="<:deep")
    call("sscan", "t", 0, match="b*")
    call("sadd", "k", "member")
    call("sadd", "bin", b"\x00\xff", b"")
    call("smembers", "bin", rule=UNORDERED)


def keys(s):
    call = s.call
    call("flushdb")
    call("mset", {"user:1": "a", "user:2": "b", "other": "c"})
    call("exists", "user:1", "user:2", "missing")
    call("type", "user:1")
    call("type", "missing")
    call("keys", "user:*", sort=True, rule=UNORDERED)
    call("keys", "*", sort=True, rule=UNORDERED)
    call("dbsize")
    call("randomkey", varies=True, rule="<:is bulk")
    call("scan", 0, match="other", count=1000)
    call("rename", "other", "renamed")
    call("rename", "missing", "x")
    call("renamenx", "renamed", "user:1")
    call("renamenx", "renamed", "other")
    call("copy", "other", "copied")
    call("copy", "other", "copied")
    call("copy", "other", "copied", replace=True)
    call("copy", "other", "elsewhere", destination_db=1)
    call("move", "copied", 1)
    call("move", "copied", 1)
    call("expire", "other", 100)
    call("expire", "other", 50, gt=True)
    call("expire", "other", 500, nx=True)
    call("expire", "other", 50, lt=True)
    call("ttl", "other")
    call("pexpire", "other", 100000, xx=True)
    call("pttl", "other", varies=True, rule="<:int 90000..100000")
    call("expireat", "other", 33177117420)
    call("pexpireat", "other", 33177117420999)
    call("expiretime", "other")
    call("pexpiretime", "other")
    call("persist", "other")
    call("persist", "other")
    call("ttl", "missing")
    call("touch", "other", "missing")
    call("object", "encoding", "other")
    call("object", "refcount", "other")
    call("unlink", "other", "missing")
    call("delete", "user:1", "user:2")
    call("swapdb", 0, 1)
    call("dbsize")
    call("flushall")
    call("dbsize")


def transactions(s):
    call = s.call
    s.pipe(("set", "k", "v"), ("incr", "n"), ("get", "k"), ("sadd", "s", "a"))
    s.pipe(("set", "k", "v"), ("incr", "k"), ("sadd", "k", "x"), ("get", "k"))
    s.pipe(("get", "k"), ("incrby", "n", 5), ("mget", "k", "n", "missing"), transaction=False)
    s.pipe(("mset", {"x": "1", "y": "2"}), ("rename", "x", "z"), ("exists", "x", "z"), ("delete", "z"))
    for change in (False, True):
        pipe = s.redis.pipeline()
        pipe.watch("k")
        before = pipe.get("k")
        if change:
            pipe.set("k", "changed")
        pipe.multi()
        pipe.set("k", "set in the transaction")
        try:
            result = pipe.execute()
        except redis.WatchError as error:
            result = type(error).__name__
        s.out.append(f"watch, change={change}, before={before!r} -> {result!r}")
        pipe.reset()
    call("get", "k")
    call("execute_command", "EXEC")
    call("execute_command", "DISCARD")
    call("execute_command", "MULTI")
    call("execute_command", "MULTI")
    call("execute_command", "NOSUCH")
    call("execute_command", "EXEC")


def connection_and_server(s):
    call = s.call
    call("ping")
    call("echo", "hello")
    call("echo", b"\x00\r\n\xff")
    call("client_setname", "spine")
    call("client_getname")
    call("client_id", varies=True, rule="<:is integer")
    call("client_info", varies=True, rule="<:is bulk | verbatim")
    call("client_list", varies=True, rule="<:is bulk | verbatim")
    call("client_no_evict", "on")
    call("client_unpause")
    call("time", varies=True, rule="<:is array")
    call("config_get", "timeout")
    call("config_set", "timeout", 100)
    call("config_get", "timeout")
    call("config_set", "timeout", 0)
    call("config_set", "nosuch", 1)
    call("config_resetstat")
    call("info", varies=True, rule="<:is bulk | verbatim")
    call("info", "server", varies=True, rule="<:is bulk | verbatim")
    call("command_count", varies=True, rule="<:is integer")
    call("command_getkeys", "MSET", "a", "1", "b", "2")
    call("command_list", category="transaction", sort=True, rule=UNORDERED)
    call("lolwut", varies=True, rule="<:is bulk | verbatim")
    call("execute_command", "DEBUG", "SLEEP", "0")
    call("execute_command", "NOSUCH", "a b", "c")
    call("execute_command", "GET")
    call("execute_command", "CONFIG", "BOGUS")
    call("auth", "password")
    call("select", 3)
    call("set", "k", "three")
    call("select", 0)
    call("exists", "k")
    call("select", 99)
    call("flushall", asynchronous=True)
    call("reset")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--against")
    parser.add_argument("--wire")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    wire, out, calls = Wire(), [], 0
    for protocol in (2, 3):
        out.append(f"# RESP{protocol}")
        for part in (strings, sets, keys, transactions, connection_and_server):
            out.append(f"# {part.__name__}")
            wire.lines += ["", f"@test {part.__name__.replace('_', ' ')}, RESP{protocol}", f"@resp{protocol}"]
            session = Session(options.port, protocol, wire, out)
            part(session)
            wire.on = False
            session.redis.connection_pool.disconnect()
            wire.on = True
    if options.wire:
        with open(options.wire, "w", encoding="ascii") as file:
            file.write("# What redis-py sends for the calls of tests/python/spine.py.\n")
            file.write("\n".join(wire.lines) + "\n")
    text = "\n".join(out) + "\n"
    if not options.against:
        sys.stdout.write(text)
        return 0
    with open(options.against, encoding="utf-8") as file:
        recorded = file.read()
    difference = list(difflib.unified_diff(recorded.splitlines(), text.splitlines(), "recorded", "got", lineterm=""))
    print("\n".join(difference) if difference else f"{sum(1 for l in out if not l.startswith('#'))} calls, no difference")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
