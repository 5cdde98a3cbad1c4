using System.Runtime.InteropServices;
using Aries.OnnxRuntime.Graphs;
using ElementType = Aries.OnnxRuntime.Graphs.TensorProto.Types.DataType;

namespace Aries.OnnxRuntime.Tests;

/// <summary>A reward model of a few thousand weights: the mean of its tokens' embeddings, times a matrix. Its scores are computed here a second time, in float64.</summary>
internal sealed class SmallRewardModel
{
    private const int VocabularySize = 512;
    private const int Width = 24;

    private readonly float[] _embedding;
    private readonly float[] _head;
    private readonly int _classCount;

    public SmallRewardModel(int classCount)
    {
        Random random = new(5);
        _classCount = classCount;
        _embedding = [.. Enumerable.Range(0, VocabularySize * Width).Select(_ => random.NextSingle() - 0.5f)];
        _head = [.. Enumerable.Range(0, Width * classCount).Select(_ => random.NextSingle() - 0.5f)];
    }

    public double Score(ReadOnlySpan<int> tokens, int index = 0)
    {
        double sum = 0;
        foreach (int token in tokens)
        {
            for (int column = 0; column < Width; column++)
            {
                sum += (double)_embedding[(token * Width) + column] * _head[(column * _classCount) + index];
            }
        }

        return sum / tokens.Length;
    }

    /// <summary>Writes the graph, a configuration, and the tokenizer of the stories model.</summary>
    public void Write(string folder, bool isHalf = false, string config = """{"max_position_embeddings": 64, "pad_token_id": 7}""")
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        foreach (string name in (string[])["tokenizer.json", "tokenizer_config.json"])
        {
            File.Copy(Path.Combine(ExportedModels.StoriesSource, name), Path.Combine(folder, name));
        }

        GraphBuilder graph = new("reward");
        string ids = graph.Input("input_ids", ElementType.Int64, "batch", "length");
        string mask = graph.Input("attention_mask", ElementType.Int64, "batch", "length");
        string table = graph.Initializer(Floats("table", _embedding, VocabularySize, Width));
        string head = graph.Initializer(Floats("score.weight", _head, Width, _classCount));
        string axis = graph.Initializer(ExternalData.Inline("axis", ElementType.Int64, MemoryMarshal.AsBytes<long>([1L]), 1));
        string last = graph.Initializer(ExternalData.Inline("last", ElementType.Int64, MemoryMarshal.AsBytes<long>([-1L]), 1));
        string weight = graph.Node("weight", "Unsqueeze", [graph.Node("mask.float", "Cast", [mask], [GraphBuilder.Attribute("to", (long)ElementType.Float)]), last]);
        string hidden = graph.Node("masked", "Mul", [graph.Node("hidden", "Gather", [table, ids]), weight]);
        string sum = graph.Node("sum", "ReduceSum", [hidden, axis], [GraphBuilder.Attribute("keepdims", 0)]);
        string count = graph.Node("count", "ReduceSum", [weight, axis], [GraphBuilder.Attribute("keepdims", 0)]);
        string mean = graph.Node("mean", "Div", [sum, count]);
        string score = graph.Node(isHalf ? "score" : "logits", "MatMul", [mean, head]);
        if (isHalf)
        {
            graph.Node("logits", "Cast", [score], [GraphBuilder.Attribute("to", (long)ElementType.Float16)]);
        }

        graph.Output("logits", isHalf ? ElementType.Float16 : ElementType.Float, "batch", _classCount);
        using FileStream stream = File.Create(Path.Combine(folder, "model.onnx"));
        graph.WriteTo(stream);
    }

    private static TensorProto Floats(string name, float[] values, params long[] shape) =>
        ExternalData.Inline(name, ElementType.Float, MemoryMarshal.AsBytes<float>(values), shape);
}
