using System.Text;
using Aries.Benchmarks.Managed;
using Aries.Managed;
using Aries.OnnxRuntime;
using QuickStart;

namespace Aries.Benchmarks.OnnxRuntime;

/// <summary>The 135M configuration with random weights, as a checkpoint and as folders of ONNX Runtime; what is there is used again.</summary>
internal sealed class OnnxModels
{
    private static readonly string[] Words = [.. WordProblem.Vocabulary];

    public OnnxModels(string folder)
    {
        Checkpoint = Path.Combine(folder, "checkpoint");
        Float32 = Path.Combine(folder, "float32");
        FourBits = Path.Combine(folder, "four-bits");
        if (!Directory.Exists(Checkpoint))
        {
            Write(Checkpoint, Path.Combine(AppContext.BaseDirectory, "model"));
        }

        WriteOnnx(Float32, new GenAIModelOptions());
        WriteOnnx(FourBits, new GenAIModelOptions { UsesFourBitWeights = true });
    }

    public string Checkpoint { get; }

    public string Float32 { get; }

    public string FourBits { get; }

    /// <summary>Gets how many weights a token is multiplied with, those of the tied head included.</summary>
    public static double WeightCount
    {
        get
        {
            LlamaConfig config = ModelShapes.Llama135M;
            double attention = (2.0 * config.HiddenSize * config.HeadCount * config.HeadSize) + (2.0 * config.HiddenSize * config.KeyValueHeadCount * config.HeadSize);
            double feedForward = 3.0 * config.HiddenSize * config.IntermediateSize;
            return (config.LayerCount * (attention + feedForward)) + ((double)config.VocabularySize * config.HiddenSize);
        }
    }

    /// <summary>Makes a text of so many words, each a token of QuickStart's tokenizer; other seeds, other words.</summary>
    public static string Text(int seed, int words)
    {
        Random random = new(seed);
        StringBuilder text = new();
        for (int word = 0; word < words; word++)
        {
            text.Append(word == 0 ? "" : " ").Append(Words[random.Next(Words.Length)]);
        }

        return text.ToString();
    }

    // Tokens that the tokenizer has no text for, and those that end a response, get rows of zeros: they are computed as all others, and never the most probable.
    private static void Write(string folder, string tokenizerFolder)
    {
        LlamaConfig tokens = LlamaConfigReader.Read(tokenizerFolder);
        LlamaConfig config = ModelShapes.Llama135M with { BeginTokenId = tokens.BeginTokenId, EndTokenIds = tokens.EndTokenIds };
        LlamaWeights weights = LlamaWeights.Allocate(config);
        LlamaInitializer.Fill(weights, new Random(1));
        Span<float> embedding = weights.Embedding.Values.AsSpan();
        embedding[(tokens.VocabularySize * config.HiddenSize)..].Clear();
        foreach (int end in tokens.EndTokenIds)
        {
            embedding.Slice(end * config.HiddenSize, config.HiddenSize).Clear();
        }

        LlamaFolder.Save(folder, config, weights, tokenizerFolder);
    }

    private void WriteOnnx(string folder, GenAIModelOptions options)
    {
        if (!Directory.Exists(folder))
        {
            GenAIModelWriter.Write(Checkpoint, folder, options);
        }
    }
}
