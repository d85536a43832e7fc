#!/usr/bin/env python3
"""Makes the checkpoints beside this file, laid out as torch.save and torch.jit.save write them: python3 make.py.

No torch is needed: its names are put where the pickler finds them.
"""

import io
import logging
import os
import pickle
import re
import struct
import sys
import types
import zipfile
from collections import OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from pathlib import Path

HERE = Path(__file__).parent


def module(name, **members):
    """A module that exists only by name, with functions and classes that say they are from it."""
    made = sys.modules[name] = types.ModuleType(name)
    for key, member in members.items():
        member.__module__, member.__qualname__, member.__name__ = name, key, key
        setattr(made, key, member)
    return made


def named():
    return type("C", (), {})


kinds = ["Float", "Half", "BFloat16", "Double", "Long", "QInt8", "ComplexFloat", "Untyped"]
torch = module("torch", Tensor=named(), float8_e4m3fn=named(), **{f"{kind}Storage": named() for kind in kinds})
makers = ["tensor_v2", "tensor_v3", "parameter", "qtensor", "sparse_tensor", "meta_tensor_no_storage"]
utils = module("torch._utils", **{f"_rebuild_{maker}": (lambda: lambda *_: None)() for maker in makers})
typed = module("torch._tensor", _rebuild_from_type_v2=lambda *_: None)
script = module("__torch__", Net=named(), Part=named())
other = module("nobodys_code", Recorder=named(), Settings=type("C", (dict,), {}), Linear=named(), run=lambda *_: None)

CODES = {"Float": "f", "Half": "e", "Double": "d", "Long": "q", "QInt8": "b", "ComplexFloat": "f", "Untyped": "b"}


class Storage:
    def __init__(self, kind, values):
        self.kind, self.n = kind, len(values)
        if kind == "BFloat16":
            self.bytes = b"".join(struct.pack("<f", value)[2:] for value in values)
        else:
            self.bytes = struct.pack(f"<{len(values)}{CODES[kind]}", *values)


class Tensor:
    def __init__(self, storage, shape, stride=None, offset=0):
        self.storage, self.shape, self.offset = storage, tuple(shape), offset
        if stride is None:
            stride = [1] * len(shape)
            for axis in range(len(shape) - 2, -1, -1):
                stride[axis] = stride[axis + 1] * shape[axis + 1]
        self.stride = tuple(stride)

    def __reduce_ex__(self, protocol):
        return utils._rebuild_tensor_v2, (self.storage, self.offset, self.shape, self.stride, False, OrderedDict())


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce_ex__(self, protocol):
        return utils._rebuild_parameter, (self.tensor, True, OrderedDict())


class Call:
    """A call of a function, when it is unpickled by Python."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce_ex__(self, protocol):
        return self.function, self.arguments


def tensor(values, shape, kind="Float"):
    return Tensor(Storage(kind, values), shape)


class Pickler(pickle._Pickler):
    """Writes storages as references."""

    def __init__(self, file, legacy):
        super().__init__(file, protocol=2)
        self.storages, self.legacy = [], legacy

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value not in self.storages:
            self.storages.append(value)
        key, kind = str(self.storages.index(value)), getattr(torch, f"{value.kind}Storage")
        claimed = getattr(value, "claimed", value.n)
        return ("storage", kind, key, "cpu", claimed, None) if self.legacy else ("storage", kind, key, "cpu", claimed)


def archive(name, value, extra=(), compressed=()):
    buffer = io.BytesIO()
    pickler = Pickler(buffer, legacy=False)
    pickler.dump(value)
    entries = [("data.pkl", buffer.getvalue()), ("byteorder", b"little"), ("version", b"3\n"), *extra]
    entries += [(f"data/{key}", storage.bytes) for key, storage in enumerate(pickler.storages)]
    with zipfile.ZipFile(HERE / name, "w") as file:
        for entry, content in entries:
            # Bytes of a compressed entry are whatever the zlib at hand makes of it.
            info, is_compressed = zipfile.ZipInfo(f"{Path(name).stem}/{entry}"), entry.startswith(tuple(compressed))
            file.writestr(info, content, zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED)


def legacy(name, value, head=None):
    out = io.BytesIO()
    for part in [0x1950A86A20F9469CFC6C, 1001, head or {"protocol_version": 1001, "little_endian": True}]:
        pickle.dump(part, out, protocol=2)
    pickler = Pickler(out, legacy=True)
    pickler.dump(value)
    pickle.dump([str(key) for key in range(len(pickler.storages))], out, protocol=2)
    for storage in pickler.storages:
        out.write(struct.pack("<q", storage.n) + storage.bytes)
    (HERE / name).write_bytes(out.getvalue())


def with_attributes(value, **attributes):
    value.__dict__.update(attributes)
    return value


# A tensor, its transpose in the same storage, the end of it, and a scalar.
shared = Storage("Float", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
plain = OrderedDict(
    whole=Tensor(shared, [2, 3]),
    turned=Tensor(shared, [3, 2], [1, 3]),
    end=Tensor(shared, [2], offset=4),
    scalar=tensor([7.0], []),
    count=tensor([41, 42], [2], "Long"),
)
archive("plain.pt", plain)
legacy("legacy.pt", plain)
archive("halves.pt", {kind.lower(): tensor([1.5, -2.0], [2], kind) for kind in ["Half", "BFloat16", "Double"]})

moments = {"exp_avg": tensor([0.0, 0.0], [2]), "exp_avg_sq": tensor([0.0, 0.0], [2])}
settings = other.Settings(lr=0.1)
archive(
    "lightning.ckpt",
    {
        "epoch": 3,
        "state_dict": OrderedDict({"module.weight": tensor([1.0, 2.0], [2]), "module.bias": tensor([3.0], [1])}),
        "optimizer_states": [{"state": {0: moments}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}],
        "hyper_parameters": settings,
        "best": tensor([0.5], []),
        "recorder": with_attributes(other.Recorder(), losses=[0.1, 0.2]),
    },
)

sparse = Call(utils._rebuild_sparse_tensor, "sparse_coo", tensor([1.0], [1]), (4,))
pieces = [Storage(kind, [1, 2]) for kind in ["Untyped", "QInt8", "ComplexFloat"]]
more = {
    "float8": Call(utils._rebuild_tensor_v3, pieces[0], 0, (2,), (1,), False, OrderedDict(), torch.float8_e4m3fn),
    "quantized": Call(utils._rebuild_qtensor, pieces[1], 0, (2,), (1,), ("per_tensor_affine", 0.5, 0), False, OrderedDict()),
    "complex": Tensor(pieces[2], [1]),
    "meta": Call(utils._rebuild_meta_tensor_no_storage, torch.Tensor, (2,), (1,), False),
    "negative": Call(utils._rebuild_tensor_v2, shared, 0, (2,), (1,), False, OrderedDict(), {"neg": True}),
    "sparse": sparse,
    "steps": range(3),
    "last": deque([tensor([1.0], [1])], maxlen=3),
    "space": types.SimpleNamespace(lr=0.1),
    "rate": [Decimal("0.1"), Fraction(1, 3), type(None), ..., re.compile("a"), itemgetter(1), logging.getLogger("a"), len],
    "mode": Call(other.run, "x"),
}
arguments = (shared, 4, (2,), (1,), False, OrderedDict())
attributes = Call(typed._rebuild_from_type_v2, utils._rebuild_tensor_v2, torch.Tensor, arguments, {"tag": "a"})
weights = OrderedDict(attributes=attributes, expanded=Tensor(Storage("Float", [7.0, 8.0]), [2, 3], [1, 0]))
archive("beside.pt", {"state_dict": weights, "more": more})
archive("sparse.pt", {"embedding": {"weight": sparse}})

tables = {"_buffers": OrderedDict(mean=tensor([4.0], [1])), "_modules": OrderedDict(), "training": False}
part = with_attributes(other.Linear(), _parameters=OrderedDict(weight=Parameter(tensor([5.0], [1])), bias=None), **tables)
whole = with_attributes(other.Linear(), _parameters=OrderedDict(), _buffers=OrderedDict(), _modules=OrderedDict(fc=part))
archive("module.pt", whole)
legacy("module_legacy.pt", whole)

inner = with_attributes(script.Part(), training=False, weight=tensor([1.0, 2.0], [2], "Half"))
root = with_attributes(script.Net(), training=False, visual=inner, logit_scale=tensor([4.5], []))
# torch.jit.save compresses code of more than 200 bytes, and what it keeps to debug it.
code = [("constants.pkl", b"\x80\x02)."), ("code/__torch__.py", b"class Net(Module):\n" + b"  training : bool\n" * 20)]
archive("script.pt", root, extra=code, compressed=["code/"])
archive("compressed.pt", {"weight": tensor([1.0], [1])}, compressed=["data/"])

weight = tensor([1.0], [1])
archive("hostile.pt", {"weight": weight, "more": Call(os.system, "true")})
legacy("hostile_legacy.pt", {"weight": weight, "more": Call(eval, "1")})

lying = Storage("Float", [1.0, 2.0])
lying.claimed = 2**40
archive("lying_storage.pt", {"weight": Tensor(lying, [2**20, 2**20])})
archive("lying_shape.pt", {"weight": Tensor(Storage("Float", [1.0]), [2**30, 2**30], [0, 0])})
claims = tensor([1.0, 2.0], [2])
legacy("lying_legacy.pt", {"weight": claims})
bytes_ = (HERE / "lying_legacy.pt").read_bytes()
(HERE / "lying_legacy.pt").write_bytes(bytes_[:-16] + struct.pack("<q", 2**59) + bytes_[-8:])
legacy("big_endian.pt", {"weight": claims}, head={"protocol_version": 1001, "little_endian": False})
