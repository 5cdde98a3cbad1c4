using Aries.OnnxRuntime.Graphs;

namespace Aries.OnnxRuntime.Tests;

/// <summary>Graphs that other exporters write: they give the logits of every token, or of the last one alone.</summary>
public sealed class GraphsOfOthersTests(ExportedModels models)
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public async Task Model_GraphWithoutTheInputForLogits_ScoresAndWritesTheSame(long firstRow)
    {
        using OnnxRuntimePolicyModel expected = OnnxRuntimePolicyModel.Load(models.Stories);
        using OnnxRuntimePolicyModel actual = OnnxRuntimePolicyModel.Load(WithoutInput(firstRow), new OnnxRuntimePolicyOptions { PrefillLength = 7 });
        GenerationRequest[] requests = [.. Texts.Stories.Select(text => new GenerationRequest(text.Prompt.Question, new SamplingOptions { Temperature = 0, MaxTokens = 20 }))];

        IReadOnlyList<Response> wanted = await expected.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> found = await actual.GenerateAsync(requests, TestContext.Current.CancellationToken);

        Assert.Equal(wanted.Select(response => response.Text), found.Select(response => response.Text));
        await Texts.AssertSameAsync(expected, actual, Texts.Stories, 1e-4);
    }

    // The input becomes a constant: from row 0, or from the last one.
    private string WithoutInput(long firstRow)
    {
        string folder = models.CopyOf(models.Stories);
        string path = Path.Combine(folder, GenAIModelWriter.ModelFile);
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        model.Graph.Input.Remove(model.Graph.Input.Single(input => input.Name == GenAIModelWriter.LogitsStart));
        model.Graph.Initializer.Single(tensor => tensor.Name == GenAIModelWriter.LogitsStart).RawData = Google.Protobuf.ByteString.CopyFrom(BitConverter.GetBytes(firstRow));
        if (firstRow < 0)
        {
            model.Graph.Output.Single(output => output.Name == "logits").Type.TensorType.Shape.Dim[1] = new TensorShapeProto.Types.Dimension { DimValue = 1 };
        }

        using FileStream stream = File.Create(path);
        using Google.Protobuf.CodedOutputStream output = new(stream, leaveOpen: true);
        model.WriteTo(output);
        return folder;
    }
}
