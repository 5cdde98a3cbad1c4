using Google.Protobuf;

namespace Aries.OnnxRuntime.Graphs;

/// <summary>Puts an ONNX graph together, a node at a time; each value is known by its name.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class GraphBuilder(string name)
{
    /// <summary>The domain of ONNX Runtime's own operators.</summary>
    public const string Microsoft = "com.microsoft";

    // Opset 18: ReduceSum takes its axes as an input, as all later ones do. IR 10 is read by every ONNX Runtime since 1.18.
    private const int OpsetVersion = 18;
    private const int IntermediateVersion = 10;

    private readonly GraphProto _graph = new() { Name = name };

    /// <summary>Adds a graph input. A dimension is a number, or the name of one that varies.</summary>
    public string Input(string name, TensorProto.Types.DataType type, params object[] shape)
    {
        _graph.Input.Add(Value(name, type, shape));
        return name;
    }

    /// <summary>Adds a graph output.</summary>
    public void Output(string name, TensorProto.Types.DataType type, params object[] shape) => _graph.Output.Add(Value(name, type, shape));

    /// <summary>Adds a constant, or the default of an input of that name.</summary>
    public string Initializer(TensorProto tensor)
    {
        _graph.Initializer.Add(tensor);
        return tensor.Name;
    }

    /// <summary>Adds a node with one output, which has the node's name.</summary>
    public string Node(string name, string operation, IReadOnlyList<string> inputs, IReadOnlyList<AttributeProto>? attributes = null, string domain = "")
    {
        Node(name, operation, inputs, [name], attributes, domain);
        return name;
    }

    /// <summary>Adds a node.</summary>
    public void Node(
        string name, string operation, IReadOnlyList<string> inputs, IReadOnlyList<string> outputs, IReadOnlyList<AttributeProto>? attributes = null, string domain = "")
    {
        NodeProto node = new() { Name = name, OpType = operation, Domain = domain };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        node.Attribute.AddRange(attributes ?? []);
        _graph.Node.Add(node);
    }

    /// <summary>Writes the model.</summary>
    public void WriteTo(Stream stream)
    {
        ModelProto model = new() { IrVersion = IntermediateVersion, ProducerName = "Aries", Graph = _graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = OpsetVersion });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = Microsoft, Version = 1 });
        model.WriteTo(stream);
    }

    public static AttributeProto Attribute(string name, long value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    public static AttributeProto Attribute(string name, float value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = value };

    private static ValueInfoProto Value(string name, TensorProto.Types.DataType type, object[] shape)
    {
        TensorShapeProto dimensions = new();
        foreach (object dimension in shape)
        {
            dimensions.Dim.Add(dimension switch
            {
                string parameter => new TensorShapeProto.Types.Dimension { DimParam = parameter },
                int size => new TensorShapeProto.Types.Dimension { DimValue = size },
                _ => throw new ArgumentException($"A dimension is an int or a string, not {dimension}.", nameof(shape)),
            });
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dimensions } } };
    }
}
