namespace Aries.OnnxRuntime.Graphs;

/// <summary>Adds matrix products to a graph: in floats or four bits, with a bias, with inputs for an adapter.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class LinearLayers(GraphBuilder graph, ExternalData data, GenAIModelOptions options, Func<string, float[]> read)
{
    // Activations may be rounded to eight bits where the processor multiplies those faster: what ONNX Runtime's own model builder asks for.
    private const int EightBitActivations = 4;

    /// <summary>Adds y = [W₁; W₂; …]·x: projections of one input, computed as one product.</summary>
    /// <param name="output">The name of y.</param>
    /// <param name="input">The name of x.</param>
    /// <param name="inputs">The width of x.</param>
    /// <param name="parts">The projections, in the order of their outputs.</param>
    public string Add(string output, string input, int inputs, IReadOnlyList<LinearPart> parts)
    {
        float[] weights = Join(parts, ".weight");
        int outputs = parts.Sum(part => part.Outputs);
        bool isBiased = parts.Any(part => part.HasBias);
        bool isAdapted = parts.Any(part => options.AdapterTargets.HasFlag(part.Projection) && part.Projection != LoraProjections.None);
        string product = isBiased || isAdapted ? output + ".product" : output;
        string name = parts.Count == 1 ? parts[0].Name : output;
        if (options.UsesFourBitWeights)
        {
            AddFourBit(product, name, input, weights, outputs, inputs);
        }
        else
        {
            string matrix = graph.Initializer(data.Write(name + ".weight", RowMajor.Transpose(weights, outputs, inputs), inputs, outputs));
            graph.Node(product, "MatMul", [input, matrix]);
        }

        if (isBiased)
        {
            string bias = graph.Initializer(data.Write(name + ".bias", Join(parts, ".bias"), outputs));
            product = graph.Node(isAdapted ? output + ".biased" : output, "Add", [product, bias]);
        }

        return isAdapted ? graph.Node(output, "Add", [product, AddAdapter(output, input, inputs, parts)]) : product;
    }

    /// <summary>Adds a product with a matrix of four bits. Shape of the weights [outputs, inputs].</summary>
    public void AddFourBit(string output, string name, string input, ReadOnlySpan<float> weights, int outputs, int inputs)
    {
        (byte[] packed, float[] scales) = FourBitBlocks.Quantize(weights, outputs, inputs, options.BlockSize);
        int blocks = scales.Length / outputs;
        string matrix = graph.Initializer(data.WriteBytes(name + ".weight_q4", TensorProto.Types.DataType.Uint8, packed, outputs, blocks, options.BlockSize / 2));
        string scale = graph.Initializer(data.Write(name + ".weight_scales", scales, outputs * blocks));
        graph.Node(
            output,
            "MatMulNBits",
            [input, matrix, scale],
            [
                GraphBuilder.Attribute("K", inputs),
                GraphBuilder.Attribute("N", outputs),
                GraphBuilder.Attribute("bits", 4),
                GraphBuilder.Attribute("block_size", options.BlockSize),
                GraphBuilder.Attribute("accuracy_level", EightBitActivations),
            ],
            GraphBuilder.Microsoft);
    }

    // (x·A)·B of each part, side by side. The scale alpha ÷ rank is folded into B by whoever gives the matrices; of rank 0 they add exactly nothing.
    private string AddAdapter(string output, string input, int inputs, IReadOnlyList<LinearPart> parts)
    {
        List<string> updates = [];
        foreach (LinearPart part in parts)
        {
            string down = AdapterInput($"{part.Name}.lora_A.weight", part.Projection, inputs, part.Name + ".rank", [inputs, 0]);
            string up = AdapterInput($"{part.Name}.lora_B.weight", part.Projection, part.Name + ".rank", part.Outputs, [0, part.Outputs]);
            string inner = graph.Node(part.Name + ".lora_inner", "MatMul", [input, down]);
            updates.Add(graph.Node(part.Name + ".lora", "MatMul", [inner, up]));
        }

        return updates.Count == 1 ? updates[0] : graph.Node(output + ".lora", "Concat", updates, [GraphBuilder.Attribute("axis", -1)]);
    }

    // A part that adapters do not change keeps its empty matrices as constants: side by side with the others it adds nothing.
    private string AdapterInput(string name, LoraProjections projection, object rows, object columns, long[] emptyShape)
    {
        if (options.AdapterTargets.HasFlag(projection))
        {
            graph.Input(name, data.ElementType, rows, columns);
        }

        return graph.Initializer(data.Empty(name, emptyShape));
    }

    private float[] Join(IReadOnlyList<LinearPart> parts, string suffix) =>
        parts.Count == 1 ? read(parts[0].Name + suffix) : [.. parts.SelectMany(part => read(part.Name + suffix))];
}
