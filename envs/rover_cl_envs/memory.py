"""Arrays that kernels find by an address, lay down where they need them for a moment, or ask for in advance.

All without counting references, which these kernels are spared: they allocate nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import populate_array

# Numba has types for its users, not for those who extend it.
_intrinsic: Any = extending.intrinsic
_types: Any = types
_cgutils: Any = cgutils
_populate: Any = populate_array
_from_dtype: Any = numba.from_dtype
LINE = 64  # bytes of a line of memory


@_intrinsic  # type: ignore[untyped-decorator]
def array_at(context: Any, address: Any, shape: Any, dtype: Any) -> Any:
    """The C-contiguous array of that shape and type at an address."""
    array = _types.Array(dtype.dtype, len(shape), "C")
    signature = array(_types.intp, _types.UniTuple(_types.intp, len(shape)), dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(array)(context, builder)
        sizes = _cgutils.unpack_tuple(builder, arguments[1])
        itemsize = context.get_constant(_types.intp, array.dtype.bitwidth // 8)
        strides = [itemsize]
        for size in reversed(sizes[1:]):
            strides.insert(0, builder.mul(strides[0], size))
        data = builder.inttoptr(arguments[0], made.data.type)
        _populate(made, data, sizes, strides, itemsize, meminfo=None)
        return made._getvalue()

    return signature, generate


@_intrinsic  # type: ignore[untyped-decorator]
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask memory for a number of an array that is wanted soon; nobody waits for it."""
    signature = _types.void(array, index)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = _cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(ask, [place, number(0), number(3), number(1)])  # to read, to keep near, no code
        return context.get_dummy_value()

    return signature, generate


def scratch(count: int, dtype: type) -> Callable[[], Any]:
    """A function that gives a kernel an array (count,) on its stack, not yet written.

    It is gone when the kernel that asked for it returns, and nobody else's memory can be meant by it, so that
    loops which write there become vector code.
    """
    element = _from_dtype(dtype)
    array = _types.Array(element, 1, "C")

    def lay(context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            made = context.make_array(array)(context, builder)
            # Laid down once, however often the line is met. Numba's own `alloca_once` would set it to zero
            # each time that the kernel is called: a twenty-fifth of a step's time.
            with builder.goto_entry_block():
                place = builder.alloca(ir.ArrayType(context.get_data_type(element), count))
            place.align = LINE
            size = context.get_constant(_types.intp, count)
            itemsize = context.get_constant(_types.intp, element.bitwidth // 8)
            data = builder.bitcast(place, made.data.type)
            _populate(made, data, [size], [itemsize], itemsize, meminfo=None)
            return made._getvalue()

        return array(), generate

    function: Callable[[], Any] = _intrinsic(lay)
    return function
