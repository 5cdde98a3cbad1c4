namespace Aries;

/// <summary>Reads the inputs of an ONNX graph from its file, without the rest of it: nodes and weights are skipped, however large they are.</summary>
/// <remarks>
/// The field numbers are those of the standard's <see href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">onnx.proto</see>:
/// <c>ModelProto.graph</c> 7, <c>GraphProto.input</c> 11, <c>ValueInfoProto.name</c> 1 and <c>type</c> 2, <c>TypeProto.tensor_type</c> 1, <c>elem_type</c> 1 and <c>shape</c> 2,
/// <c>TensorShapeProto.dim</c> 1, <c>dim_value</c> 1.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class GraphInputReader
{
    /// <summary>Reads the inputs, in the order of the file. One that is no tensor has the element type 0.</summary>
    /// <param name="path">The graph's file.</param>
    /// <exception cref="ModelFormatException">The file is missing or damaged.</exception>
    public static IReadOnlyList<GraphInput> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, "there is no such file.", "Write or download the model folder again.");
        }

        using ProtobufFile file = new(path);
        return
        [
            .. file.Message.Fields(7)
                .SelectMany(graph => graph.Fields(11))
                .Select(input => new GraphInput(
                    input.Fields(1).LastOrDefault()?.Text() ?? "",
                    (int)(Tensor(input).SelectMany(tensor => tensor.Fields(1)).LastOrDefault()?.Value ?? 0),
                    [
                        .. Tensor(input)
                            .SelectMany(tensor => tensor.Fields(2))
                            .SelectMany(shape => shape.Fields(1))
                            .Select(dimension => (long)(dimension.Fields(1).LastOrDefault()?.Value ?? 0)),
                    ])),
        ];
    }

    private static IEnumerable<ProtobufField> Tensor(ProtobufField input) => input.Fields(2).SelectMany(type => type.Fields(1));
}
