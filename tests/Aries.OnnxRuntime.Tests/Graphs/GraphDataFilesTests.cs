using Aries.OnnxRuntime.Graphs;
using Google.Protobuf;

namespace Aries.OnnxRuntime.Tests;

/// <summary>A graph may keep its weights in files of any name: the checkpoint's fingerprint follows them all.</summary>
public sealed class GraphDataFilesTests(ExportedModels models)
{
    [Theory]
    [InlineData("weights.bin")]
    [InlineData("data/part-0")]
    public async Task GetFingerprintAsync_WeightsInAFileOfAnotherName_FollowsTheirBytes(string name)
    {
        string folder = models.CopyOf(models.Stories);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
        File.Move(Path.Combine(folder, "model.onnx.data"), Path.Combine(folder, name));
        Edit(folder, model => Rename(model.Graph.Initializer, name));
        OnnxRuntimePolicyModelLoader loader = new(models.NewPath());
        string before = await loader.GetFingerprintAsync(new PolicyCheckpoint(folder), TestContext.Current.CancellationToken);
        using (OnnxRuntimePolicyModel.Load(folder))
        {
            // The folder is one that runs.
        }

        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, name));
        bytes[^1] ^= 1;
        File.WriteAllBytes(Path.Combine(folder, name), bytes);

        Assert.NotEqual(before, await loader.GetFingerprintAsync(new PolicyCheckpoint(folder), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Compute_FileThatNoGraphNames_ChangesNothing()
    {
        string folder = models.CopyOf(models.Stories);
        string before = CheckpointFingerprint.Compute(folder, adapterPath: null, TestContext.Current.CancellationToken);

        File.WriteAllText(Path.Combine(folder, "notes.txt"), "x");

        Assert.Equal(before, CheckpointFingerprint.Compute(folder, adapterPath: null, TestContext.Current.CancellationToken));
    }

    // Long-context models choose their rotary tables by a condition: the tables are constants of its branches.
    [Fact]
    public void Read_TensorsOfBranchesAndOfConstants_AreFound()
    {
        string folder = models.CopyOf(models.Stories);
        Edit(folder, model =>
        {
            GraphProto branch = new();
            branch.Initializer.Add(External("branch"));
            GraphProto outer = new();
            outer.Node.Add(Node("If", Attribute(branch)));
            model.Graph.Node.Add(Node("If", Attribute(outer)));
            model.Graph.Node.Add(Node("Constant", new AttributeProto { Name = "value", T = External("constant") }));
        });
        File.WriteAllText(Path.Combine(folder, "branch"), "");
        File.WriteAllText(Path.Combine(folder, "constant"), "");

        Assert.Equal(["branch", "constant", "model.onnx.data"], GraphDataFiles.Read(Path.Combine(folder, "model.onnx")).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("missing.bin")]
    [InlineData("../outside.bin")]
    [InlineData("")]
    public void Read_FileThatTheFolderDoesNotHold_Throws(string name)
    {
        string folder = models.CopyOf(models.Stories);
        File.WriteAllText(Path.Combine(folder, "..", "outside.bin"), "x");
        Edit(folder, model => Rename(model.Graph.Initializer, name));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => GraphDataFiles.Read(Path.Combine(folder, "model.onnx")));

        Assert.Contains($"'{name}'", exception.Problem, StringComparison.Ordinal);
    }

    private static void Edit(string folder, Action<ModelProto> edit)
    {
        string path = Path.Combine(folder, "model.onnx");
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        edit(model);
        File.WriteAllBytes(path, model.ToByteArray());
    }

    private static void Rename(IEnumerable<TensorProto> tensors, string name)
    {
        foreach (StringStringEntryProto location in tensors.SelectMany(tensor => tensor.ExternalData).Where(entry => entry.Key == "location"))
        {
            location.Value = name;
        }
    }

    private static TensorProto External(string name)
    {
        TensorProto tensor = new() { Name = name, DataLocation = TensorProto.Types.DataLocation.External };
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = name });
        return tensor;
    }

    // The field 6 of an attribute, a graph, which this library's graphs have none of.
    private static AttributeProto Attribute(GraphProto graph)
    {
        using MemoryStream stream = new();
        using (CodedOutputStream output = new(stream, leaveOpen: true))
        {
            output.WriteTag(6, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(graph.ToByteString());
        }

        return AttributeProto.Parser.ParseFrom(stream.ToArray());
    }

    private static NodeProto Node(string type, AttributeProto attribute)
    {
        NodeProto node = new() { OpType = type };
        node.Attribute.Add(attribute);
        return node;
    }
}
