using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using Aries.Managed;
using Aries.TestKit;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Aries.OnnxRuntime.Tests;

public sealed class OnnxAdapterWriterTests(ExportedModels models)
{
    private static string Golden => TestData.Golden("lora");

    // Two engines in float32: the tolerance of GenAIModelWriter's tests.
    [Fact]
    public async Task Write_ActiveInARun_ScoresAsTheManagedEngineWithTheAdapter()
    {
        using ManagedPolicyModel managed = ManagedPolicyModel.Load(ExportedModels.StoriesSource, new ManagedPolicyOptions { AdapterPath = Golden });
        IReadOnlyList<ResponseLogProbability> expected = await managed.GetLogProbabilitiesAsync(Texts.Stories, TestContext.Current.CancellationToken);
        using GraphSession session = GraphSession.Load(models.Adaptable, "model.onnx", threadCount: 1);

        for (int index = 0; index < expected.Count; index++)
        {
            int[] response = [.. expected[index].TokenIds];
            int[] tokens = [.. Encode(Texts.Stories[index].Prompt), .. response];
            float[] logits = Run(session.Session, Written(models.Adaptable), tokens);
            for (int token = 0; token < response.Length; token++)
            {
                ReadOnlySpan<float> row = logits.AsSpan((tokens.Length - response.Length + token - 1) * 512, 512);
                double logSum = Math.Log(row.ToArray().Sum(logit => Math.Exp(logit)));
                Assert.Equal(expected[index].TokenLogProbabilities[token], row[response[token]] - logSum, 1e-4);
            }
        }
    }

    // One engine, one set of numbers: only the kernels for a cache that is bound and one that is returned could differ, in the last digits of logits of some 10.
    [Fact]
    public void Write_ActiveInARun_GivesWhatBoundInputsGive()
    {
        int[] tokens = Encode("Once upon a time, there was a little girl named Lily.");
        using DecoderGraph bound = DecoderGraph.Load(models.Adaptable, GenAIConfig.Read(models.Adaptable), Golden, threadCount: 1);
        bound.EnsureCache(1, tokens.Length, kept: []);
        using GraphSession session = GraphSession.Load(models.Adaptable, "model.onnx", threadCount: 1);

        float[] expected = bound.Run(0, tokens, [tokens.Length], tokens.Length, TestContext.Current.CancellationToken).ToArray();
        float[] actual = Run(session.Session, Written(models.Adaptable), tokens);
        float[] without = Run(session.Session, adapterPath: null, tokens);

        Assert.True(TensorPrimitives.Distance(expected, without) > 1, "The adapter changes nothing.");
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    // Some projections only, an odd rank, and a scale that is no power of two: 1.5 ÷ 3.
    [Theory]
    [InlineData(LoraProjections.All, 3)]
    [InlineData(LoraProjections.Query | LoraProjections.Down, 1)]
    public void Write_AnyTargetsAndRank_GivesWhatBoundInputsGive(LoraProjections targets, int rank)
    {
        string adapter = models.NewPath();
        RandomAdapter.Write(adapter, LlamaConfigReader.Read(ExportedModels.StoriesSource), new LoraOptions { Rank = rank, Alpha = 1.5f, Targets = targets });
        int[] tokens = Encode("Tom and his mom went to the store.");
        using DecoderGraph bound = DecoderGraph.Load(models.Adaptable, GenAIConfig.Read(models.Adaptable), adapter, threadCount: 1);
        bound.EnsureCache(1, tokens.Length, kept: []);
        using GraphSession session = GraphSession.Load(models.Adaptable, "model.onnx", threadCount: 1);

        float[] expected = bound.Run(0, tokens, [tokens.Length], tokens.Length, TestContext.Current.CancellationToken).ToArray();
        float[] actual = Run(session.Session, Written(models.Adaptable, adapter), tokens);

        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public void Write_Float16Graph_GivesWhatBoundInputsGive()
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.Float16, AdapterTargets = LoraProjections.All });
        int[] tokens = Encode("The sun was hot.");
        using DecoderGraph bound = DecoderGraph.Load(folder, GenAIConfig.Read(folder), Golden, threadCount: 1);
        bound.EnsureCache(1, tokens.Length, kept: []);
        using GraphSession session = GraphSession.Load(folder, "model.onnx", threadCount: 1);

        float[] expected = bound.Run(0, tokens, [tokens.Length], tokens.Length, TestContext.Current.CancellationToken).ToArray();
        float[] actual = Run(session.Session, Written(folder), tokens);

        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    // The processor's kernels do not compute in bfloat16, so ONNX Runtime reads the file and the last matrix, which the file ends with, is compared.
    [Fact]
    public void Write_BFloat16Graph_IsReadAndHoldsTheValuesRounded()
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.BFloat16, AdapterTargets = LoraProjections.All });
        using PeftAdapterFile source = PeftAdapterFile.Open(Golden);
        float[] up = source.Read("model.layers.4.mlp.down_proj.lora_B.weight", 64, 4);

        string path = Written(folder);

        using OrtLoraAdapter adapter = OrtLoraAdapter.Create(path, ortAllocator: null);
        byte[] end = File.ReadAllBytes(path)[^(64 * 4 * 2)..];
        for (int index = 0; index < up.Length; index++)
        {
            Assert.Equal(BFloat16Bits.Round(2 * up[index]), BitConverter.ToUInt16(end, 2 * ((index % 4 * 64) + (index / 4))));
        }
    }

    [Fact]
    public void Write_ModelThatTakesNoAdapter_SaysHowToWriteIt()
    {
        string path = models.NewPath();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxAdapterWriter.Write(Golden, models.Stories, path));

        Assert.Contains("AdapterTargets", exception.Fix, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Write_ModelThatTakesFewerProjections_NamesTheProjection()
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { AdapterTargets = LoraProjections.Attention });

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxAdapterWriter.Write(Golden, folder, models.NewPath()));

        Assert.Contains("gate_proj", exception.Problem, StringComparison.Ordinal);
    }

    // Wider than the adapter's base, deeper, and less deep.
    [Theory]
    [InlineData("hidden_size", "shape")]
    [InlineData("more layers", "lacks")]
    [InlineData("fewer layers", "no place")]
    public void Write_AdapterOfAnotherBase_SaysWhatAndLeavesNothing(string difference, string named)
    {
        LlamaConfig stories = LlamaConfigReader.Read(ExportedModels.StoriesSource);
        LlamaConfig config = difference switch
        {
            "hidden_size" => stories with { HiddenSize = 128, HeadSize = 16 },
            "more layers" => stories with { LayerCount = 6 },
            _ => stories with { LayerCount = 4 },
        };
        string source = models.NewPath();
        LlamaInitializer.Create(source, config, ExportedModels.StoriesSource, seed: 1);
        string folder = models.Write(source, new GenAIModelOptions { AdapterTargets = LoraProjections.All });
        string path = models.NewPath();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxAdapterWriter.Write(Golden, folder, path));

        Assert.Contains(named, exception.Problem, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + "*"));
    }

    [Fact]
    public void Write_DamagedAdapter_ThrowsAndKeepsTheEarlierFile()
    {
        string truncated = models.CopyOf(Golden);
        string weights = Path.Combine(truncated, "adapter_model.safetensors");
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..^100]);
        string path = Written(models.Adaptable);
        byte[] before = File.ReadAllBytes(path);

        Assert.Throws<ModelFormatException>(() => OnnxAdapterWriter.Write(truncated, models.Adaptable, path));

        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Write_BeyondHalfPrecision_Throws()
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.Float16, AdapterTargets = LoraProjections.All });
        string adapter = models.CopyOf(Golden);
        string config = Path.Combine(adapter, "adapter_config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(config))!;
        json["lora_alpha"] = 1e8;
        File.WriteAllText(config, json.ToJsonString());

        Assert.Contains("65504", Assert.Throws<OverflowException>(() => OnnxAdapterWriter.Write(adapter, folder, models.NewPath())).Message, StringComparison.Ordinal);
    }

    // What a file that lost its end does in the runtime: an error, not a crash.
    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(3000)]
    public void Write_FileCutAfterwards_IsRefusedByOnnxRuntime(int length)
    {
        string path = Written(models.Adaptable);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..length]);

        Assert.Throws<OnnxRuntimeException>(() => OrtLoraAdapter.Create(path, ortAllocator: null));
    }

    private string Written(string modelFolder, string? adapter = null)
    {
        string path = models.NewPath() + ".onnx_adapter";
        OnnxAdapterWriter.Write(adapter ?? Golden, modelFolder, path);
        return path;
    }

    private int[] Encode(Prompt prompt)
    {
        GenAIConfig config = GenAIConfig.Read(models.Stories);
        return PromptEncoder.Create(models.Stories, config.VocabularySize, config.EndTokenIds, TokenizerFolder.Load(models.Stories), template: null).EncodePrompt(prompt);
    }

    // The runtime's own way: nothing is bound, and the adapter is active in the run.
    private static float[] Run(InferenceSession session, string? adapterPath, int[] tokens)
    {
        using OrtLoraAdapter? adapter = adapterPath is null ? null : OrtLoraAdapter.Create(adapterPath, ortAllocator: null);
        using RunOptions options = new();
        if (adapter is not null)
        {
            options.AddActiveLoraAdapter(adapter);
        }

        Dictionary<string, OrtValue> inputs = new()
        {
            ["input_ids"] = OrtValue.CreateTensorValueFromMemory(tokens.Select(token => (long)token).ToArray(), [1, tokens.Length]),
            ["attention_mask"] = OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, tokens.Length).ToArray(), [1, tokens.Length]),
        };
        foreach ((string name, NodeMetadata metadata) in session.InputMetadata.Where(input => input.Key.StartsWith("past_key_values", StringComparison.Ordinal)))
        {
            inputs[name] = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, metadata.ElementDataType, [1, metadata.Dimensions[1], 0, metadata.Dimensions[3]]);
        }

        using IDisposableReadOnlyCollection<OrtValue> results = session.Run(options, inputs, ["logits"]);
        foreach (OrtValue value in inputs.Values)
        {
            value.Dispose();
        }

        return results[0].GetTensorDataAsSpan<float>().ToArray();
    }
}
