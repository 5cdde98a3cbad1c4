using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Aries.OnnxRuntimeGenAI;

namespace Aries.Benchmarks.GenAI;

/// <summary>ONNX Runtime GenAI's C API with nothing behind it: every function returns at once, and logits are the same ones each time. What is left to measure is this side.</summary>
internal static unsafe class EmptyGenAILibrary
{
    private const int MaxRows = 32;

    private static readonly float* Logits = (float*)NativeMemory.AllocZeroed(MaxRows * VocabularySize, sizeof(float));
    private static readonly byte* DeviceName = Text("CPU");

    /// <summary>The number of logits of a row: few, since what a sampler does with them is measured elsewhere.</summary>
    public const int VocabularySize = 64;

    public static OgaApi Create() => new(Find);

    private static byte* Text(string text)
    {
        byte* memory = (byte*)NativeMemory.AllocZeroed((nuint)text.Length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(memory, text.Length));
        return memory;
    }

    // A function that is not measured does nothing, too.
    private static nint Find(string name) => (name switch
    {
        "OgaCreateTensorFromBuffer" => nameof(CreateTensorFromBuffer),
        "OgaCreateGenerator" => nameof(CreateOfTwo),
        "OgaModelGetDeviceType" => nameof(GetDeviceType),
        "OgaGenerator_GetLogits" => nameof(CreateOfOne),
        "OgaTensorGetType" => nameof(GetTensorType),
        "OgaTensorGetShapeRank" => nameof(GetRank),
        "OgaTensorGetShape" => nameof(GetShape),
        "OgaTensorGetData" => nameof(GetData),
        "OgaCreateConfig" or "OgaCreateModelFromConfig" or "OgaCreateGeneratorParams" => nameof(CreateOfOne),
        "OgaCreateSequences" => nameof(CreateOfNone),
        _ => nameof(Nothing),
    }) is var function && typeof(EmptyGenAILibrary).GetMethod(function, BindingFlags.NonPublic | BindingFlags.Static) is { } method ? method.MethodHandle.GetFunctionPointer() : 0;

    // In the C calling convention, a function may be given more arguments than it reads.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Nothing() => 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint CreateOfNone(nint* result)
    {
        *result = 1;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint CreateOfOne(nint first, nint* result)
    {
        *result = 1;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint CreateOfTwo(nint first, nint second, nint* result)
    {
        *result = 1;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint CreateTensorFromBuffer(void* data, long* shape, nuint rank, int type, nint* result)
    {
        *result = 1;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint GetDeviceType(nint model, byte** result)
    {
        *result = DeviceName;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint GetTensorType(nint tensor, int* result)
    {
        *result = OgaLogits.Float32;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint GetRank(nint tensor, nuint* result)
    {
        *result = 3;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint GetShape(nint tensor, long* shape, nuint rank)
    {
        (shape[0], shape[1], shape[2]) = (MaxRows, 1, VocabularySize);
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint GetData(nint tensor, void** result)
    {
        *result = Logits;
        return 0;
    }
}
