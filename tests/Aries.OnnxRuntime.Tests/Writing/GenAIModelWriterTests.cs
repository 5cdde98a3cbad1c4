using System.Text.Json;
using System.Text.Json.Nodes;
using Aries.Managed;
using Aries.OnnxRuntime.Graphs;
using Aries.TestKit;

namespace Aries.OnnxRuntime.Tests;

public sealed class GenAIModelWriterTests(ExportedModels models)
{
    private static readonly JsonElement Prompts =
        JsonDocument.Parse(File.ReadAllText(TestData.Golden("forward", "forward.json"))).RootElement.GetProperty("prompts");

    // The golden logits are another implementation's, in float64; 1e-4 is what two float32 engines may be apart on logits up to 20.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Write_Stories_WholePromptAndTokenByTokenGiveTheGoldenLogits(int prompt)
    {
        int[] ids = [.. Prompts[prompt].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        float[] expected = GoldenLogits(prompt);
        using DecoderGraph graph = LoadGraph(models.Stories);
        graph.EnsureCache(1, ids.Length, kept: []);

        float[] whole = graph.Run(0, ids, [ids.Length], ids.Length, TestContext.Current.CancellationToken).ToArray();
        List<float> stepwise = [];
        for (int index = 0; index < ids.Length; index++)
        {
            stepwise.AddRange(graph.Run(0, [ids[index]], [index + 1], 1, TestContext.Current.CancellationToken));
        }

        AssertEqual(expected, whole, 1e-4);
        AssertEqual(expected, [.. stepwise], 1e-4);
    }

    // The head is one product with fewer rows: float32 sums of other kernels differ in the last digits of logits up to 20.
    [Theory]
    [InlineData(OnnxFloatType.Float32, false, 1e-4)]
    [InlineData(OnnxFloatType.Float32, true, 1e-4)]
    [InlineData(OnnxFloatType.Float16, false, 0.05)]
    public void Write_LogitsOfTheLastTokensWanted_AreThoseOfTheWholePrompt(OnnxFloatType type, bool fourBits, double tolerance)
    {
        int[] ids = [.. Prompts[0].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        using DecoderGraph graph = LoadGraph(models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = type, UsesFourBitWeights = fourBits }));
        graph.EnsureCache(1, ids.Length, kept: []);

        float[] whole = graph.Run(0, ids, [ids.Length], ids.Length, TestContext.Current.CancellationToken).ToArray();
        float[] three = graph.Run(0, ids, [ids.Length], 3, TestContext.Current.CancellationToken).ToArray();
        float[] one = graph.Run(0, ids, [ids.Length], 1, TestContext.Current.CancellationToken).ToArray();

        Assert.Equal(ids.Length * 512, whole.Length);
        AssertEqual(whole[^(3 * 512)..], three, tolerance);
        AssertEqual(whole[^512..], one, tolerance);
    }

    // Chunks of a prompt, then a batch of sequences of different lengths in neighbouring slots: each row is what its sequence gives alone.
    [Fact]
    public void Write_Stories_RaggedBatchGivesWhatEachSequenceGivesAlone()
    {
        int[][] sequences = [.. Enumerable.Range(0, 3).Select(index => Prompts[index].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        int[] kept = [sequences[0].Length - 1, sequences[1].Length - 3, sequences[2].Length - 2];
        using DecoderGraph graph = LoadGraph(models.Stories);
        graph.EnsureCache(3, 512, kept: []);
        for (int slot = 0; slot < 3; slot++)
        {
            int half = kept[slot] / 2;
            graph.Run(slot, sequences[slot].AsSpan(0, half), [half], 1, TestContext.Current.CancellationToken);
            graph.Run(slot, sequences[slot].AsSpan(half, kept[slot] - half), [kept[slot]], 1, TestContext.Current.CancellationToken);
        }

        float[] together = graph.Run(
            0, [.. sequences.Select((sequence, slot) => sequence[kept[slot]])], [.. kept.Select(length => length + 1)], 1, TestContext.Current.CancellationToken).ToArray();

        Assert.True(kept.Distinct().Count() > 1);
        for (int slot = 0; slot < 3; slot++)
        {
            AssertEqual(GoldenLogits(slot).AsSpan(kept[slot] * 512, 512).ToArray(), together.AsSpan(slot * 512, 512).ToArray(), 1e-4);
        }
    }

    // Biases, an untied head, rescaled rotary angles, heads of their own width: everything that the stories model lacks. Biases are drawn, for the initializer leaves them 0.
    [Theory]
    [InlineData("qwen2", true, false)]
    [InlineData("llama", false, true)]
    [InlineData("mistral", false, false)]
    public async Task Write_FamiliesAndShapes_ScoresAsTheManagedEngine(string modelType, bool biased, bool tied)
    {
        string source = models.NewPath();
        LlamaInitializer.Create(source, Shape(modelType, biased, tied), ExportedModels.StoriesSource, seed: 3);
        Randomize(source, ".bias");
        using ManagedPolicyModel expected = ManagedPolicyModel.Load(source);
        using OnnxRuntimePolicyModel actual = OnnxRuntimePolicyModel.Load(models.Write(source));

        await Texts.AssertSameAsync(expected, actual, Texts.Stories, 1e-4);
    }

    [Fact]
    public async Task Write_QuickStart_ScoresAsTheManagedEngine()
    {
        using ManagedPolicyModel expected = ManagedPolicyModel.Load(ExportedModels.QuickStartSource);
        using OnnxRuntimePolicyModel actual = OnnxRuntimePolicyModel.Load(models.QuickStart);
        LogProbabilityRequest[] requests = [new("Tom has 3 apples and buys 4 more. How many apples has he?", " 3 + 4 = 7. #### 7"), new("2 + 2", " #### 4")];

        await Texts.AssertSameAsync(expected, actual, requests, 1e-4);
    }

    // Half precision keeps 11 bits: logits of some 10 are off by up to 0.005 after rounding, a few times that after five layers.
    [Fact]
    public async Task Write_Float16_ScoresNearTheManagedEngine()
    {
        using ManagedPolicyModel expected = ManagedPolicyModel.Load(ExportedModels.StoriesSource);
        using OnnxRuntimePolicyModel actual = OnnxRuntimePolicyModel.Load(models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.Float16 }));

        await Texts.AssertSameAsync(expected, actual, Texts.Stories, 0.02);
    }

    // Eleven bits are kept at some twenty roundings on the way to logits of ten and more: √20 · 2⁻¹¹ · 10 = 0.02 is usual, and the largest of thousands is a few times that. Measured: 0.066.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Write_Float16_LogitsAreNearTheGoldenOnes(int prompt)
    {
        int[] ids = [.. Prompts[prompt].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        using DecoderGraph graph = LoadGraph(models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.Float16 }));
        graph.EnsureCache(1, ids.Length, kept: []);

        float[] actual = graph.Run(0, ids, [ids.Length], ids.Length, TestContext.Current.CancellationToken).ToArray();
        float largest = GoldenLogits(prompt).Zip(actual).Max(pair => Math.Abs(pair.First - pair.Second));
        TestContext.Current.SendDiagnosticMessage($"half precision: logits differ by up to {largest}");

        Assert.InRange(largest, 0, 0.15f);
    }

    // What the processor cannot compute is said when the folder is loaded, with what to do, and not by the first answer.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_BFloat16_SaysWhatToWriteInstead(bool fourBits)
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.BFloat16, UsesFourBitWeights = fourBits });

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxRuntimePolicyModel.Load(folder));

        Assert.Contains("no kernel", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Float32 or Float16", exception.Fix, StringComparison.Ordinal);
    }

    // ONNX Runtime's processor kernels do not compute in bfloat16, so the file is looked at: every weight is the source's, rounded.
    [Fact]
    public void Write_BFloat16_StoresTheWeightsRounded()
    {
        string folder = models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { FloatType = OnnxFloatType.BFloat16 });
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(folder, "model.onnx")));
        TensorProto embedding = model.Graph.Initializer.Single(tensor => tensor.Name == "model.embed_tokens.weight");
        using SafetensorsFolder weights = SafetensorsFolder.Open(ExportedModels.StoriesSource);
        weights.TryGet("model.embed_tokens.weight", out SafetensorsFile file, out SafetensorsEntry entry);
        float[] values = new float[entry.ElementCount];
        file.ReadSingles(entry.Name, values);

        byte[] data = File.ReadAllBytes(Path.Combine(folder, "model.onnx.data"));
        int offset = int.Parse(embedding.ExternalData.Single(item => item.Key == "offset").Value);

        Assert.Equal((int)TensorProto.Types.DataType.Bfloat16, embedding.DataType);
        Assert.Equal(values.Select(BFloat16Bits.Round), Enumerable.Range(0, values.Length).Select(index => BitConverter.ToUInt16(data, offset + (2 * index))));
    }

    // A model of 260 thousand weights has none to spare. Measured: a factor of 1.124; kernels of other processors sum the eight-bit activations otherwise, which leaves room to 1.15.
    [Fact]
    public async Task Write_FourBitWeights_LosesLittlePerplexity()
    {
        using ManagedPolicyModel exact = ManagedPolicyModel.Load(ExportedModels.StoriesSource);
        using OnnxRuntimePolicyModel rounded = OnnxRuntimePolicyModel.Load(models.Write(ExportedModels.StoriesSource, new GenAIModelOptions { UsesFourBitWeights = true }));

        double factor = Math.Exp(await Texts.MeanLogProbabilityAsync(exact) - await Texts.MeanLogProbabilityAsync(rounded));
        TestContext.Current.SendDiagnosticMessage($"four bits: perplexity × {factor}");

        Assert.InRange(factor, 0.9, 1.15);
    }

    [Fact]
    public async Task Write_AdapterInputsLeftEmpty_GivesTheBaseModel()
    {
        using OnnxRuntimePolicyModel plain = OnnxRuntimePolicyModel.Load(models.Stories);
        using OnnxRuntimePolicyModel adaptable = OnnxRuntimePolicyModel.Load(models.Adaptable);

        await Texts.AssertSameAsync(plain, adaptable, Texts.Stories, 1e-5);
    }

    [Fact]
    public async Task Write_AdapterGiven_ScoresAsTheManagedEngineWithIt()
    {
        string adapter = TestData.Golden("lora");
        using ManagedPolicyModel expected = ManagedPolicyModel.Load(ExportedModels.StoriesSource, new ManagedPolicyOptions { AdapterPath = adapter });
        using ManagedPolicyModel without = ManagedPolicyModel.Load(ExportedModels.StoriesSource);
        using OnnxRuntimePolicyModel actual = OnnxRuntimePolicyModel.Load(models.Adaptable, new OnnxRuntimePolicyOptions { AdapterPath = adapter });

        await Texts.AssertSameAsync(expected, actual, Texts.Stories, 1e-4);
        Assert.True(Math.Abs(await Texts.MeanLogProbabilityAsync(without) - await Texts.MeanLogProbabilityAsync(actual)) > 1e-3, "The adapter changes nothing.");
    }

    [Fact]
    public void Write_Cancelled_LeavesNothingAndTheEarlierFolderWhole()
    {
        string folder = models.Write(ExportedModels.StoriesSource);
        byte[] before = File.ReadAllBytes(Path.Combine(folder, "model.onnx"));

        Assert.ThrowsAny<OperationCanceledException>(() => GenAIModelWriter.Write(ExportedModels.QuickStartSource, folder, options: null, new CancellationToken(canceled: true)));

        Assert.Equal(before, File.ReadAllBytes(Path.Combine(folder, "model.onnx")));
        Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(folder)!, Path.GetFileName(folder) + ".tmp*"));
    }

    [Fact]
    public void Write_IntoTheModelsOwnFolder_ThrowsAndTouchesNothing()
    {
        string source = models.CopyOf(ExportedModels.StoriesSource);

        Assert.Throws<ArgumentException>(() => GenAIModelWriter.Write(source, source + Path.DirectorySeparatorChar, options: null, TestContext.Current.CancellationToken));

        Assert.True(File.Exists(Path.Combine(source, "model.safetensors")));
    }

    [Theory]
    [InlineData("config.json", "\"llama\"", "\"gemma\"", "model_type")]
    [InlineData("config.json", "\"num_hidden_layers\": 5", "\"num_hidden_layers\": 6", "model.layers.5")]
    public void Write_ModelOfAnotherKindOrShape_SaysWhat(string file, string before, string after, string named)
    {
        string source = models.CopyOf(ExportedModels.StoriesSource);
        string path = Path.Combine(source, file);
        string text = File.ReadAllText(path);
        Assert.Contains(before, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(before, after, StringComparison.Ordinal));
        string target = models.NewPath();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => GenAIModelWriter.Write(source, target, options: null, TestContext.Current.CancellationToken));

        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(target));
    }

    // Both overflow 32 bits; the second as the product of its context and half a head, 4.
    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(1 << 29)]
    public void Write_ContextOfWhichNoTableCanBeMade_SaysSoAndWritesNothing(int context)
    {
        string source = models.CopyOf(ExportedModels.StoriesSource);
        string path = Path.Combine(source, "config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        json["max_position_embeddings"] = context;
        File.WriteAllText(path, json.ToJsonString());
        string target = models.NewPath();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => GenAIModelWriter.Write(source, target, options: null, TestContext.Current.CancellationToken));

        Assert.Contains("max_position_embeddings", exception.Message, StringComparison.Ordinal);
        Assert.Equal(path, exception.File);
        Assert.False(Path.Exists(target));
    }

    [Fact]
    public void CheckSize_ProductThatNoArrayHolds_SaysWhichAndTheNextSmallerIsTaken()
    {
        LlamaConfig config = Shape("llama", biased: false, tied: false) with { HiddenSize = 1 << 14 };

        ModelFormatException vocabulary = Assert.Throws<ModelFormatException>(() => LlamaGraph.CheckSize(config with { VocabularySize = 1 << 17 }, "config.json"));
        ModelFormatException inner = Assert.Throws<ModelFormatException>(() => LlamaGraph.CheckSize(config with { IntermediateSize = 1 << 16 }, "config.json"));
        LlamaGraph.CheckSize(config with { VocabularySize = (1 << 17) - 1, IntermediateSize = (1 << 16) - 1 }, "config.json");

        Assert.Contains("vocab_size", vocabulary.Problem, StringComparison.Ordinal);
        Assert.Contains("intermediate_size", inner.Problem, StringComparison.Ordinal);
    }

    // Four bits have no code for what is no number: written, it would be some weight.
    [Theory]
    [InlineData(float.NaN, true)]
    [InlineData(float.PositiveInfinity, true)]
    [InlineData(float.NaN, false)]
    public void Write_WeightThatIsNoNumber_ThrowsAndWritesNothing(float weight, bool usesFourBits)
    {
        string source = models.CopyOf(ExportedModels.StoriesSource);
        string path = Path.Combine(source, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - sizeof(float)), weight);
        File.WriteAllBytes(path, bytes);
        string target = models.NewPath();

        ModelFormatException exception = Assert.Throws<ModelFormatException>(
            () => GenAIModelWriter.Write(source, target, new GenAIModelOptions { UsesFourBitWeights = usesFourBits }, TestContext.Current.CancellationToken));

        Assert.Contains(".weight", exception.Problem, StringComparison.Ordinal);
        Assert.False(Path.Exists(target));
    }

    [Fact]
    public void Write_TruncatedWeights_Throws()
    {
        string source = models.CopyOf(ExportedModels.StoriesSource);
        string path = Path.Combine(source, "model.safetensors");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1000]);

        Assert.Throws<ModelFormatException>(() => models.Write(source));
    }

    [Fact]
    public void Write_Configuration_NamesWhatTheGraphHas()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(models.Stories, "genai_config.json")));
        JsonElement model = json.RootElement.GetProperty("model");

        Assert.Equal("llama", model.GetProperty("type").GetString());
        Assert.Equal(512, model.GetProperty("context_length").GetInt32());
        Assert.Equal(-1, model.GetProperty("pad_token_id").GetInt32());
        Assert.Equal(LlamaConfigReader.Read(ExportedModels.StoriesSource).EndTokenIds, model.GetProperty("eos_token_id").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal(4, model.GetProperty("decoder").GetProperty("num_key_value_heads").GetInt32());
        Assert.True(File.Exists(Path.Combine(models.Stories, "tokenizer.json")));
    }

    private static DecoderGraph LoadGraph(string folder) => DecoderGraph.Load(folder, GenAIConfig.Read(folder), adapterPath: null, threadCount: 1);

    private static float[] GoldenLogits(int prompt)
    {
        using SafetensorsFile file = SafetensorsFile.Open(TestData.Golden("forward", "logits.safetensors"));
        string name = Prompts[prompt].GetProperty("logits_key").GetString()!;
        float[] values = new float[file.Header.Entries[name].ElementCount];
        file.ReadSingles(name, values);
        return values;
    }

    private static void AssertEqual(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int index = 0; index < expected.Length; index++)
        {
            Assert.Equal(expected[index], actual[index], tolerance);
        }
    }

    private static LlamaConfig Shape(string modelType, bool biased, bool tied) => new()
    {
        ModelType = modelType,
        HiddenSize = 48,
        IntermediateSize = 76,
        LayerCount = 2,
        HeadCount = 6,
        KeyValueHeadCount = 2,
        HeadSize = 16,
        VocabularySize = 512,
        ContextLength = 256,
        RmsNormEpsilon = 1e-6f,
        RopeTheta = 5000,
        RopeScaling = modelType == "llama" ? new Llama3RopeScaling(8, 1, 4, 64) : null,
        TieEmbeddings = tied,
        HasQueryKeyValueBias = biased,
        BeginTokenId = 1,
        EndTokenIds = [2],
    };

    private static void Randomize(string folder, string suffix)
    {
        string path = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, (int)BitConverter.ToInt64(bytes)));
        Random random = new(11);
        foreach (JsonProperty tensor in header.RootElement.EnumerateObject().Where(tensor => tensor.Name.EndsWith(suffix, StringComparison.Ordinal)))
        {
            int start = 8 + (int)BitConverter.ToInt64(bytes) + tensor.Value.GetProperty("data_offsets")[0].GetInt32();
            int end = 8 + (int)BitConverter.ToInt64(bytes) + tensor.Value.GetProperty("data_offsets")[1].GetInt32();
            for (int at = start; at < end; at += sizeof(float))
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(at), random.NextSingle() - 0.5f);
            }
        }

        File.WriteAllBytes(path, bytes);
    }
}
