using System.Numerics.Tensors;
using Aries.OnnxRuntime.Graphs;

namespace Aries.OnnxRuntime;

/// <summary>Writes a Llama-family model in Hugging Face layout as a folder that ONNX Runtime and ONNX Runtime GenAI run.</summary>
/// <remarks>
/// The folder holds <c>model.onnx</c> with its weights in <c>model.onnx.data</c>, <c>genai_config.json</c>, and the tokenizer's files. One product's weights at a time are in memory, twice:
/// as they are read (queries, keys and values are one product, and so are the two projections into a feed-forward block), and as they are written.
/// The graph is that of <see href="https://onnxruntime.ai/docs/genai/"/>: grouped-query attention with its rotary embedding and its cache of keys and values in one operator.
/// </remarks>
/// <threadsafety>Every member may be called concurrently, for folders of their own.</threadsafety>
public static class GenAIModelWriter
{
    /// <summary>The graph's file.</summary>
    internal const string ModelFile = "model.onnx";

    /// <summary>The graph's optional input that says from which of the new tokens on logits are computed: 0, its default, is all. Shape [1].</summary>
    internal const string LogitsStart = "logits_start";

    /// <summary>Writes a model.</summary>
    /// <param name="modelFolder">A Hugging Face folder of the Llama, Mistral or Qwen2 family: <c>config.json</c>, safetensors, and tokenizer files.</param>
    /// <param name="outputFolder">The folder to write. It is written aside and renamed when it is whole and flushed to disk; an earlier one of that name is replaced.</param>
    /// <param name="options">How it is written; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at once a layer.</param>
    /// <exception cref="ArgumentException">A path is null or empty, an option is outside its range, or the output folder would replace the model's.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the model is of a kind or a size that is not written, or a weight is no finite number.</exception>
    /// <exception cref="OverflowException">A weight is beyond the range of half precision, which the options ask for.</exception>
    /// <exception cref="IOException">The folder could not be written; nothing of it is left.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing of the folder is left.</exception>
    public static void Write(string modelFolder, string outputFolder, GenAIModelOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelFolder);
        ArgumentException.ThrowIfNullOrWhiteSpace(outputFolder);
        options ??= new GenAIModelOptions();
        options.Validate();
        options = options with { };
        string source = Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelFolder));
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(outputFolder));
        if ((source + Path.DirectorySeparatorChar).StartsWith(target + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new ArgumentException($"{target} is the model's own folder or holds it, and would be replaced. Write to another folder.", nameof(outputFolder));
        }

        LlamaConfig config = LlamaConfigReader.Read(source);
        LlamaGraph.CheckSize(config, Path.Combine(source, "config.json"));
        ITextTokenizer tokenizer = TokenizerFolder.Load(source);
        PromptEncoder encoder = PromptEncoder.Create(source, config.VocabularySize, config.EndTokenIds, tokenizer, template: null);
        using SafetensorsFolder weights = SafetensorsFolder.Open(source);
        LlamaTensors.Check(config, weights);
        AtomicOutput.WriteFolder(target, aside =>
        {
            LlamaGraph graph = new(config, options);
            AtomicOutput.WriteFile(Path.Combine(aside, ModelFile + ".data"), stream =>
            {
                ExternalData data = new(stream, ModelFile + ".data", options.FloatType);
                graph.Build(data, name => Read(weights, name), cancellationToken);
            });
            AtomicOutput.WriteFile(Path.Combine(aside, ModelFile), graph.WriteTo);
            AtomicOutput.WriteFile(
                Path.Combine(aside, GenAIConfig.FileName),
                stream => GenAIConfigWriter.Write(stream, config with { BeginTokenId = tokenizer.BeginTokenId ?? config.BeginTokenId, EndTokenIds = encoder.EndTokenIds }));
            CompanionFiles.Copy(source, aside);
        });
    }

    private static float[] Read(SafetensorsFolder weights, string name)
    {
        _ = weights.TryGet(name, out SafetensorsFile file, out SafetensorsEntry entry);
        float[] values = new float[entry.ElementCount];
        file.ReadSingles(name, values);

        // In four bits they would become some weight, and nobody would see that training had diverged.
        return TensorPrimitives.IsFiniteAll<float>(values)
            ? values
            : throw new ModelFormatException(file.Path, $"the tensor '{name}' holds values that are no finite numbers.", "The weights are damaged or diverged in training: write an earlier checkpoint.");
    }
}
