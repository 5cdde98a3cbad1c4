namespace Aries;

/// <summary>Reads which files beside an ONNX graph hold its tensors.</summary>
/// <remarks>
/// The field numbers are those of the standard's <see href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">onnx.proto</see>:
/// <c>ModelProto.graph</c> 7, <c>GraphProto.node</c> 1 and <c>initializer</c> 5, <c>NodeProto.attribute</c> 5, <c>AttributeProto.t</c> 5, <c>g</c> 6, <c>tensors</c> 10 and <c>graphs</c> 11,
/// <c>TensorProto.external_data</c> 13, <c>StringStringEntryProto.key</c> 1 and <c>value</c> 2.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class GraphDataFiles
{
    /// <summary>Reads the paths of the files, relative to the graph's folder, each once. Those of graphs within the graph are among them.</summary>
    /// <param name="path">The graph's file.</param>
    /// <exception cref="ModelFormatException">The graph is damaged, or names a file that is missing or not in its folder.</exception>
    public static IReadOnlyCollection<string> Read(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        HashSet<string> names = new(StringComparer.Ordinal);
        using ProtobufFile file = new(path);
        Stack<ProtobufField> graphs = new(file.Message.Fields(7));
        while (graphs.TryPop(out ProtobufField? graph))
        {
            ProtobufField[] attributes = [.. graph.Fields(1).SelectMany(node => node.Fields(5))];
            IEnumerable<ProtobufField> tensors = [.. graph.Fields(5), .. attributes.SelectMany(attribute => attribute.Fields(5).Concat(attribute.Fields(10)))];
            names.UnionWith(tensors
                .SelectMany(tensor => tensor.Fields(13))
                .Where(entry => entry.Fields(1).LastOrDefault()?.Text() == "location")
                .Select(entry => entry.Fields(2).LastOrDefault()?.Text() ?? ""));
            foreach (ProtobufField inner in attributes.SelectMany(attribute => attribute.Fields(6).Concat(attribute.Fields(11))))
            {
                graphs.Push(inner);
            }
        }

        foreach (string name in names)
        {
            string target = Path.GetFullPath(Path.Combine(folder, name));
            if (!target.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal) || !File.Exists(target))
            {
                throw new ModelFormatException(path, $"the graph keeps tensors in '{name}', and its folder holds no such file.", "Write or download the model folder again.");
            }
        }

        return names;
    }
}
