using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;

namespace Aries.OnnxRuntime.Tests;

public sealed class GraphInputReaderTests(ExportedModels models)
{
    [Fact]
    public void Read_WrittenModel_GivesTheInputsThatOnnxRuntimeSees()
    {
        using GraphSession session = GraphSession.Load(models.Adaptable, "model.onnx", threadCount: 1);

        IReadOnlyList<GraphInput> inputs = GraphInputReader.Read(Path.Combine(models.Adaptable, "model.onnx"));

        IEnumerable<KeyValuePair<string, NodeMetadata>> expected = session.Session.InputMetadata.Concat(session.Session.OverridableInitializerMetadata);
        Assert.Equal(
            expected.Select(input => $"{input.Key} {(int)input.Value.ElementDataType} {string.Join(',', input.Value.Dimensions.Select(size => Math.Max(size, 0)))}").Order(),
            inputs.Select(input => $"{input.Name} {input.ElementType} {string.Join(',', input.Dimensions)}").Order());

        // Tokens, mask and the start of the logits; keys and values, and seven projections' matrices, of five layers.
        Assert.Equal(3 + (2 * 5) + (2 * 7 * 5), inputs.Count);
    }

    [Fact]
    public void Read_FileCutWithinTheGraph_Throws()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(models.Adaptable, "model.onnx"));
        string path = models.NewPath();

        // What stands before and behind the graph is some twenty bytes.
        for (int length = 40; length < whole.Length - 40; length += 997)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Throws<ModelFormatException>(() => GraphInputReader.Read(path));
        }
    }

    // Tag 0x3A is field 7 as bytes: the graph. A number without an end, a length beyond the file, no length, a group, a name beyond its message, a name that is no UTF-8.
    [Theory]
    [InlineData("3AFFFFFFFFFFFFFFFFFFFF01")]
    [InlineData("3AFFFFFFFF0F0A")]
    [InlineData("3A")]
    [InlineData("3B00")]
    [InlineData("3A045A020AFF")]
    [InlineData("3A055A030A01FF")]
    public void Read_BytesThatAreNoGraph_Throws(string bytes)
    {
        string path = models.NewPath();
        File.WriteAllBytes(path, Convert.FromHexString(bytes));

        Assert.Throws<ModelFormatException>(() => GraphInputReader.Read(path));
    }

    [Fact]
    public void Read_NameOfAHundredKilobytes_Throws()
    {
        string path = models.NewPath();
        Graphs.ModelProto model = new() { Graph = new() };
        model.Graph.Input.Add(new Graphs.ValueInfoProto { Name = new string('x', 100_000) });
        File.WriteAllBytes(path, model.ToByteArray());

        Assert.Throws<ModelFormatException>(() => GraphInputReader.Read(path));
    }

    [Fact]
    public void Read_MissingFile_Throws() => Assert.Throws<ModelFormatException>(() => GraphInputReader.Read(models.NewPath()));
}
