using System.Text;
using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.LocalModels.Tests;

public class LlamaConfigReaderTests
{
    private const string Smallest =
        """{"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,"vocab_size":512,"max_position_embeddings":512,"eos_token_id":2}""";

    [Fact]
    public void Read_SmallestConfig_TakesHuggingFaceDefaults()
    {
        LlamaConfig config = Read(Smallest);

        Assert.Equal(8, config.KeyValueHeadCount);
        Assert.Equal(8, config.HeadSize);
        Assert.Equal(1e-6f, config.RmsNormEpsilon);
        Assert.Equal(10000, config.RopeTheta);
        Assert.False(config.TieEmbeddings);
        Assert.False(config.HasQueryKeyValueBias);
        Assert.Null(config.BeginTokenId);
        Assert.Equal([2], config.EndTokenIds);
    }

    // Keys and values as in the published config.json of Llama 3.2 1B.
    [Theory]
    [InlineData("rope_type")]
    [InlineData("type")]
    public void Read_Llama3_ReadsRopeScalingAndHeadSize(string typeKey)
    {
        LlamaConfig config = Read(With(Smallest, $$$"""
            {"head_dim":64,"num_attention_heads":32,"num_key_value_heads":8,"hidden_size":2048,"rope_theta":500000.0,"vocab_size":128256,"bos_token_id":128000,
             "eos_token_id":[128001,128008,128009],"tie_word_embeddings":true,"max_position_embeddings":131072,
             "rope_scaling":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"{{{typeKey}}}":"llama3"}}
            """));

        Assert.Equal(new Llama3RopeScaling(32, 1, 4, 8192), config.RopeScaling);
        Assert.Equal(500000, config.RopeTheta);
        Assert.Equal(64, config.HeadSize);
        Assert.Equal(8, config.KeyValueHeadCount);
        Assert.Equal([128001, 128008, 128009], config.EndTokenIds);
        Assert.Equal(128000, config.BeginTokenId);
        Assert.True(config.TieEmbeddings);
    }

    [Fact]
    public void Read_RopeParametersOfNewerFiles_AreRead()
    {
        LlamaConfig plain = Read(With(Smallest, """{"rope_parameters":{"rope_theta":5000.0,"rope_type":"default"}}"""));
        LlamaConfig scaled = Read(With(Smallest, """
            {"rope_parameters":{"rope_theta":500000.0,"rope_type":"llama3","factor":8,"high_freq_factor":4,"low_freq_factor":1,"original_max_position_embeddings":8192}}
            """));

        Assert.Equal(5000, plain.RopeTheta);
        Assert.Null(plain.RopeScaling);
        Assert.Equal(new Llama3RopeScaling(8, 1, 4, 8192), scaled.RopeScaling);
        Assert.Equal(500000, scaled.RopeTheta);
    }

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("null", 32768)]
    [InlineData("65536", 32768)]
    public void Read_MistralSlidingWindow_CapsContext(string window, int expected)
    {
        LlamaConfig config = Read(With(Smallest, $$"""{"model_type":"mistral","max_position_embeddings":32768,"sliding_window":{{window}}}"""));

        Assert.Equal(expected, config.ContextLength);
        Assert.Equal("mistral", config.ModelType);
    }

    [Fact]
    public void Read_Qwen2_HasBiasAndIgnoresUnusedWindow()
    {
        LlamaConfig config = Read(With(Smallest, """
            {"model_type":"qwen2","architectures":["Qwen2ForCausalLM"],"use_sliding_window":false,"sliding_window":16,"max_window_layers":2,"tie_word_embeddings":true,
             "layer_types":["full_attention","full_attention"]}
            """));

        Assert.True(config.HasQueryKeyValueBias);
        Assert.Equal(512, config.ContextLength);
    }

    [Fact]
    public void Read_GenerationConfigWithEnds_WinsOverConfig()
    {
        using ModelJson json = ModelJson.Parse(Encoding.UTF8.GetBytes(Smallest), "config.json");
        using ModelJson generation = ModelJson.Parse("""{"eos_token_id":[1,2]}"""u8.ToArray(), "generation_config.json");

        LlamaConfig config = LlamaConfigReader.Read(json.Root, generation.Root);

        Assert.Equal([1, 2], config.EndTokenIds);
    }

    [Theory]
    [InlineData("""{"model_type":"gpt2"}""", "model_type", "gpt2")]
    [InlineData("""{"model_type":null,"architectures":["GPT2LMHeadModel"]}""", "architectures", "GPT2LMHeadModel")]
    [InlineData("""{"model_type":null}""", "model_type", "there is no")]
    [InlineData("""{"architectures":["LlamaForSequenceClassification"]}""", "architectures", "LlamaForCausalLM")]
    [InlineData("""{"hidden_act":"gelu"}""", "hidden_act", "gelu")]
    [InlineData("""{"attention_bias":true}""", "attention_bias", "true")]
    [InlineData("""{"mlp_bias":true}""", "mlp_bias", "true")]
    [InlineData("""{"model_type":"qwen2","use_sliding_window":true}""", "use_sliding_window", "true")]
    [InlineData("""{"model_type":"qwen2","layer_types":["sliding_attention"]}""", "layer_types", "sliding_attention")]
    [InlineData("""{"partial_rotary_factor":0.5}""", "partial_rotary_factor", "0.5")]
    [InlineData("""{"quantization_config":{"bits":4}}""", "quantization_config", "bits")]
    [InlineData("""{"rope_scaling":{"rope_type":"yarn","factor":4}}""", "rope_scaling.rope_type", "yarn")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":4}}""", "rope_scaling.type", "linear")]
    [InlineData("""{"rope_scaling":{"factor":4}}""", "rope_scaling", "factor")]
    [InlineData("""{"rope_parameters":{"full_attention":{"rope_theta":1e4}}}""", "rope_parameters", "full_attention")]
    [InlineData("""{"rope_scaling":{"rope_type":"llama3","factor":4}}""", "rope_scaling.low_freq_factor", "there is no")]
    [InlineData("""{"rope_theta":0}""", "rope_theta", "0")]
    [InlineData("""{"hidden_size":0}""", "hidden_size", "0")]
    [InlineData("""{"hidden_size":"64"}""", "hidden_size", "64")]
    [InlineData("""{"hidden_size":6.5}""", "hidden_size", "6.5")]
    [InlineData("""{"hidden_size":null}""", "hidden_size", "there is no")]
    [InlineData("""{"hidden_size":99999999999}""", "hidden_size", "99999999999")]
    [InlineData("""{"hidden_size":65}""", "hidden_size", "65")]
    [InlineData("""{"hidden_size":72}""", "hidden_size", "72")]
    [InlineData("""{"head_dim":7}""", "head_dim", "7")]
    [InlineData("""{"head_dim":2147483646}""", "head_dim", "2147483646")]
    [InlineData("""{"num_key_value_heads":3}""", "num_key_value_heads", "3")]
    [InlineData("""{"num_key_value_heads":0}""", "num_key_value_heads", "0")]
    [InlineData("""{"rms_norm_eps":0}""", "rms_norm_eps", "0")]
    [InlineData("""{"rms_norm_eps":1e999}""", "rms_norm_eps", "1e999")]
    [InlineData("""{"eos_token_id":null}""", "eos_token_id", "there is no")]
    [InlineData("""{"eos_token_id":[]}""", "eos_token_id", "[]")]
    [InlineData("""{"eos_token_id":512}""", "eos_token_id", "512")]
    [InlineData("""{"eos_token_id":-1}""", "eos_token_id", "-1")]
    [InlineData("""{"bos_token_id":600}""", "bos_token_id", "600")]
    [InlineData("""{"tie_word_embeddings":1}""", "tie_word_embeddings", "1")]
    public void Read_UnsupportedOrWrongValue_ThrowsWithFileKeyAndValue(string change, string key, string value)
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Read(With(Smallest, change)));

        Assert.Equal("config.json", exception.File);
        Assert.Contains($"'{key}'", exception.Problem, StringComparison.Ordinal);
        Assert.Contains(value, exception.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(exception.Fix);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"vocab_size":1,"vocab_size":2}""")]
    public void Read_NotAnObjectOfUniqueKeys_Throws(string json)
    {
        Assert.Throws<ModelFormatException>(() => Read(json));
    }

    [Fact]
    public void Read_DamagedInput_ThrowsOnlyItsOwnException()
    {
        byte[] valid = Encoding.UTF8.GetBytes(With(Smallest, """
            {"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},"architectures":["LlamaForCausalLM"]}
            """));

        int refused = Fuzz.Run<ModelFormatException>(valid, input => Read(input), count: 20_000, allocationLimit: 200_000);

        Assert.True(refused > 10_000, $"Only {refused} inputs were refused.");
    }

    internal static string With(string json, string change)
    {
        JsonObject target = JsonNode.Parse(json)!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(change)!.AsObject())
        {
            target[key] = value?.DeepClone();
        }

        return target.ToJsonString();
    }

    private static LlamaConfig Read(string json) => Read(Encoding.UTF8.GetBytes(json));

    private static LlamaConfig Read(byte[] bytes)
    {
        using ModelJson json = ModelJson.Parse(bytes, "config.json");
        return LlamaConfigReader.Read(json.Root, null);
    }
}
