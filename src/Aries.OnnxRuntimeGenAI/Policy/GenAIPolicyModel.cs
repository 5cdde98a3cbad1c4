namespace Aries.OnnxRuntimeGenAI;

/// <summary>A decoder-only model that ONNX Runtime GenAI runs from a model folder.</summary>
public sealed class GenAIPolicyModel : IPolicyModel
{
    /// <summary>The backend's name in <see cref="PolicyModelMetadata.ProviderName"/>.</summary>
    public const string ProviderName = "aries.onnxruntimegenai";

    private GenAIPolicyModel()
    {
    }

    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">The folder, with <c>genai_config.json</c>, the graph and the tokenizer's files.</param>
    /// <param name="options">How it is loaded and run; null for the defaults. Copied.</param>
    public static GenAIPolicyModel Load(string folder, GenAIPolicyOptions? options = null) => throw new NotSupportedException();

    /// <inheritdoc />
    public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc />
    public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc />
    public void Dispose()
    {
    }
}
