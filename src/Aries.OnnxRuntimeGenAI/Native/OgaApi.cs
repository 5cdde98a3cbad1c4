using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>The functions of ONNX Runtime GenAI's C API that are used, as pointers.</summary>
/// <remarks>
/// <para><see href="https://github.com/microsoft/onnxruntime-genai/blob/main/src/ort_genai_c.h"/>. The required ones have kept their signatures since 0.11; there is no function that tells the version.</para>
/// <para>
/// A function that returns a result returns null on success; <see cref="Check"/> turns the rest into exceptions. The others catch nothing inside: a C++ exception that leaves one ends the process.
/// <c>OgaGenerator_IsDone</c>, <c>_TokenCount</c> and <c>_GetSequence*</c> are of that kind and throw for a terminated session or a wrong index, so they are not even in the table: what they tell is
/// kept on this side.
/// </para>
/// </remarks>
/// <threadsafety>Immutable. What the functions allow is said where they are called.</threadsafety>
internal sealed unsafe class OgaApi
{
    public readonly delegate* unmanaged[Cdecl]<void> Shutdown;
    public readonly delegate* unmanaged[Cdecl]<byte, void> SetTelemetryEnabled;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*> ResultGetError;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyResult;
    public readonly delegate* unmanaged[Cdecl]<byte*, void> DestroyString;

    public readonly delegate* unmanaged[Cdecl]<byte*, nint*, nint> CreateConfig;
    public readonly delegate* unmanaged[Cdecl]<nint, nint> ConfigClearProviders;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, nint> ConfigAppendProvider;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, nint> ConfigSetProviderOption;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, nint> ConfigOverlay;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyConfig;

    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> CreateModelFromConfig;
    public readonly delegate* unmanaged[Cdecl]<nint, byte**, nint> ModelGetDeviceType;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyModel;

    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> CreateTokenizer;
    public readonly delegate* unmanaged[Cdecl]<nint, int**, nuint*, nint> TokenizerGetEosTokenIds;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, nint, nint> TokenizerEncode;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, byte, byte**, nint> TokenizerApplyChatTemplate;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyTokenizer;
    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> CreateTokenizerStream;
    public readonly delegate* unmanaged[Cdecl]<nint, int, byte**, nint> TokenizerStreamDecode;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyTokenizerStream;

    public readonly delegate* unmanaged[Cdecl]<nint*, nint> CreateSequences;
    public readonly delegate* unmanaged[Cdecl]<int*, nuint, nint, nint> AppendTokenSequence;
    public readonly delegate* unmanaged[Cdecl]<nint, nuint> SequencesCount;
    public readonly delegate* unmanaged[Cdecl]<nint, nuint, nuint> SequencesGetSequenceCount;
    public readonly delegate* unmanaged[Cdecl]<nint, nuint, int*> SequencesGetSequenceData;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroySequences;

    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> CreateGeneratorParams;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, double, nint> GeneratorParamsSetSearchNumber;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, byte, nint> GeneratorParamsSetSearchBool;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyGeneratorParams;

    public readonly delegate* unmanaged[Cdecl]<nint, nint, nint*, nint> CreateGenerator;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, nint> GeneratorAppendTokenSequences;
    public readonly delegate* unmanaged[Cdecl]<nint, int*, nuint, nint> GeneratorAppendTokens;
    public readonly delegate* unmanaged[Cdecl]<nint, nint> GeneratorGenerateNextToken;
    public readonly delegate* unmanaged[Cdecl]<nint, nuint, nint> GeneratorRewindTo;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, nint*, nint> GeneratorGetOutput;
    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> GeneratorGetLogits;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, nint> GeneratorSetLogits;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, byte*, nint> GeneratorSetRuntimeOption;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyGenerator;

    public readonly delegate* unmanaged[Cdecl]<void*, long*, nuint, int, nint*, nint> CreateTensorFromBuffer;
    public readonly delegate* unmanaged[Cdecl]<nint, int*, nint> TensorGetType;
    public readonly delegate* unmanaged[Cdecl]<nint, nuint*, nint> TensorGetShapeRank;
    public readonly delegate* unmanaged[Cdecl]<nint, long*, nuint, nint> TensorGetShape;
    public readonly delegate* unmanaged[Cdecl]<nint, void**, nint> TensorGetData;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyTensor;

    public readonly delegate* unmanaged[Cdecl]<nint, nint*, nint> CreateAdapters;
    public readonly delegate* unmanaged[Cdecl]<nint, byte*, byte*, nint> LoadAdapter;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, byte*, nint> SetActiveAdapter;
    public readonly delegate* unmanaged[Cdecl]<nint, void> DestroyAdapters;

    /// <summary>Fills the table.</summary>
    /// <param name="find">Returns the address of a function, or 0 where the library has none of that name.</param>
    /// <exception cref="EntryPointNotFoundException">A required function is missing.</exception>
    public OgaApi(Func<string, nint> find)
    {
        nint Required(string name) => find(name) is var address and not 0 ? address : throw new EntryPointNotFoundException($"There is no function {name}.");

        Shutdown = (delegate* unmanaged[Cdecl]<void>)Required("OgaShutdown");
        SetTelemetryEnabled = (delegate* unmanaged[Cdecl]<byte, void>)find("OgaSetTelemetryEnabled"); // Since 0.15.
        ResultGetError = (delegate* unmanaged[Cdecl]<nint, byte*>)Required("OgaResultGetError");
        DestroyResult = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyResult");
        DestroyString = (delegate* unmanaged[Cdecl]<byte*, void>)Required("OgaDestroyString");

        CreateConfig = (delegate* unmanaged[Cdecl]<byte*, nint*, nint>)Required("OgaCreateConfig");
        ConfigClearProviders = (delegate* unmanaged[Cdecl]<nint, nint>)Required("OgaConfigClearProviders");
        ConfigAppendProvider = (delegate* unmanaged[Cdecl]<nint, byte*, nint>)Required("OgaConfigAppendProvider");
        ConfigSetProviderOption = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, nint>)Required("OgaConfigSetProviderOption");
        ConfigOverlay = (delegate* unmanaged[Cdecl]<nint, byte*, nint>)Required("OgaConfigOverlay");
        DestroyConfig = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyConfig");

        CreateModelFromConfig = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaCreateModelFromConfig");
        ModelGetDeviceType = (delegate* unmanaged[Cdecl]<nint, byte**, nint>)Required("OgaModelGetDeviceType");
        DestroyModel = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyModel");

        CreateTokenizer = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaCreateTokenizer");
        TokenizerGetEosTokenIds = (delegate* unmanaged[Cdecl]<nint, int**, nuint*, nint>)Required("OgaTokenizerGetEosTokenIds");
        TokenizerEncode = (delegate* unmanaged[Cdecl]<nint, byte*, nint, nint>)Required("OgaTokenizerEncode");
        TokenizerApplyChatTemplate = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, byte, byte**, nint>)Required("OgaTokenizerApplyChatTemplate");
        DestroyTokenizer = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyTokenizer");
        CreateTokenizerStream = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaCreateTokenizerStream");
        TokenizerStreamDecode = (delegate* unmanaged[Cdecl]<nint, int, byte**, nint>)Required("OgaTokenizerStreamDecode");
        DestroyTokenizerStream = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyTokenizerStream");

        CreateSequences = (delegate* unmanaged[Cdecl]<nint*, nint>)Required("OgaCreateSequences");
        AppendTokenSequence = (delegate* unmanaged[Cdecl]<int*, nuint, nint, nint>)Required("OgaAppendTokenSequence");
        SequencesCount = (delegate* unmanaged[Cdecl]<nint, nuint>)Required("OgaSequencesCount");
        SequencesGetSequenceCount = (delegate* unmanaged[Cdecl]<nint, nuint, nuint>)Required("OgaSequencesGetSequenceCount");
        SequencesGetSequenceData = (delegate* unmanaged[Cdecl]<nint, nuint, int*>)Required("OgaSequencesGetSequenceData");
        DestroySequences = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroySequences");

        CreateGeneratorParams = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaCreateGeneratorParams");
        GeneratorParamsSetSearchNumber = (delegate* unmanaged[Cdecl]<nint, byte*, double, nint>)Required("OgaGeneratorParamsSetSearchNumber");
        GeneratorParamsSetSearchBool = (delegate* unmanaged[Cdecl]<nint, byte*, byte, nint>)Required("OgaGeneratorParamsSetSearchBool");
        DestroyGeneratorParams = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyGeneratorParams");

        CreateGenerator = (delegate* unmanaged[Cdecl]<nint, nint, nint*, nint>)Required("OgaCreateGenerator");
        GeneratorAppendTokenSequences = (delegate* unmanaged[Cdecl]<nint, nint, nint>)Required("OgaGenerator_AppendTokenSequences");
        GeneratorAppendTokens = (delegate* unmanaged[Cdecl]<nint, int*, nuint, nint>)Required("OgaGenerator_AppendTokens");
        GeneratorGenerateNextToken = (delegate* unmanaged[Cdecl]<nint, nint>)Required("OgaGenerator_GenerateNextToken");
        GeneratorRewindTo = (delegate* unmanaged[Cdecl]<nint, nuint, nint>)Required("OgaGenerator_RewindTo");
        GeneratorGetOutput = (delegate* unmanaged[Cdecl]<nint, byte*, nint*, nint>)Required("OgaGenerator_GetOutput");
        GeneratorGetLogits = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaGenerator_GetLogits");
        GeneratorSetLogits = (delegate* unmanaged[Cdecl]<nint, nint, nint>)Required("OgaGenerator_SetLogits");
        GeneratorSetRuntimeOption = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, nint>)Required("OgaGenerator_SetRuntimeOption");
        DestroyGenerator = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyGenerator");

        CreateTensorFromBuffer = (delegate* unmanaged[Cdecl]<void*, long*, nuint, int, nint*, nint>)Required("OgaCreateTensorFromBuffer");
        TensorGetType = (delegate* unmanaged[Cdecl]<nint, int*, nint>)Required("OgaTensorGetType");
        TensorGetShapeRank = (delegate* unmanaged[Cdecl]<nint, nuint*, nint>)Required("OgaTensorGetShapeRank");
        TensorGetShape = (delegate* unmanaged[Cdecl]<nint, long*, nuint, nint>)Required("OgaTensorGetShape");
        TensorGetData = (delegate* unmanaged[Cdecl]<nint, void**, nint>)Required("OgaTensorGetData");
        DestroyTensor = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyTensor");

        CreateAdapters = (delegate* unmanaged[Cdecl]<nint, nint*, nint>)Required("OgaCreateAdapters");
        LoadAdapter = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, nint>)Required("OgaLoadAdapter");
        SetActiveAdapter = (delegate* unmanaged[Cdecl]<nint, nint, byte*, nint>)Required("OgaSetActiveAdapter");
        DestroyAdapters = (delegate* unmanaged[Cdecl]<nint, void>)Required("OgaDestroyAdapters");
    }

    /// <summary>Throws what a function reported.</summary>
    /// <param name="result">What it returned; null is success.</param>
    /// <exception cref="OgaException">It failed.</exception>
    public void Check(nint result)
    {
        if (result != 0)
        {
            throw Failure(result);
        }
    }

    private OgaException Failure(nint result)
    {
        string message = Marshal.PtrToStringUTF8((nint)ResultGetError(result)) ?? "no message";
        DestroyResult(result);
        return new OgaException(message);
    }
}
