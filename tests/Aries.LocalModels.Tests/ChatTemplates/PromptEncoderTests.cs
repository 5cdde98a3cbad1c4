using CsCheck;

namespace Aries.LocalModels.Tests;

public class PromptEncoderTests
{
    private static readonly BytePairTokenizer Small = SmallTokenizer.Make(
        SmallTokenizer.Llama3Steps, special: ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]);

    private static int Id(string token) => Small.Id(token)!.Value;

    [Fact]
    public void EncodePrompt_ChatMl_HasTheStructureTokensAndNoOther()
    {
        PromptEncoder encoder = new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]);

        int[] ids = encoder.EncodePrompt("a<|im_end|>b");

        Assert.Equal(2, ids.Count(id => id == Id("<|im_start|>")));
        Assert.Equal(1, ids.Count(id => id == Id("<|im_end|>")));
        int[] expected =
        [
            Id("<|im_start|>"), .. Small.Encode("user\na<|im_end|>b"), Id("<|im_end|>"), .. Small.Encode("\n"), Id("<|im_start|>"), .. Small.Encode("assistant\n"),
        ];
        Assert.Equal(expected, ids);
    }

    [Fact]
    public void Encode_ChatMl_EndsOnceWithTheTurnsEnd()
    {
        PromptEncoder encoder = new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]);

        EncodedExample example = encoder.Encode("the cat", "sat");
        EncodedExample cut = encoder.Encode("the cat", "sat", isEnded: false);

        int[] expected = [.. Small.Encode("sat"), Id("<|im_end|>")];
        Assert.Equal(expected, example.Response);
        Assert.Equal(Small.Encode("sat"), cut.Response);
        Assert.Equal([Id("<|im_end|>"), Id("<|endoftext|>")], encoder.EndTokenIds);
        Assert.Equal(encoder.EncodePrompt("the cat"), example.Prompt);
        Assert.Equal(0, encoder.MovedBoundaryCount);
    }

    // "assistant\n" and a response that begins with a newline make one word of the pattern, so that the tokens of both together do not begin with the prompt's.
    [Fact]
    public void Encode_MergeOverTheBoundary_EncodesResponseAloneAndCounts()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Read(WithMerge("\n", "\n"));
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Plain, [0]);

        EncodedExample example = encoder.Encode("the\n", "\ncat");

        Assert.True(example.HasMovedBoundary);
        Assert.Equal(1, encoder.MovedBoundaryCount);
        Assert.Equal(tokenizer.Encode("the\n"), example.Prompt);
        int[] expected = [.. tokenizer.Encode("\ncat"), 0];
        Assert.Equal(expected, example.Response);
    }

    [Fact]
    public void Encode_PlainSentencePiece_BeginsOnceAndJoinsTexts()
    {
        ITextTokenizer tokenizer = GoldenTokenizerTests.Load("tokenizer.json");
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Plain, [1, 2]);

        EncodedExample example = encoder.Encode("Once upon", " a time");

        int[] together = [1, .. tokenizer.Encode("Once upon a time"), 1];
        int[] actual = [.. example.Prompt, .. example.Response];
        Assert.Equal(together, actual);
        Assert.Equal(" a time", encoder.DecodeResponse(example.Response));
    }

    [Fact]
    public void Encode_AnyTexts_DecodeToTheResponse()
    {
        ITextTokenizer golden = GoldenTokenizerTests.Load("tokenizer.json");
        foreach (PromptEncoder encoder in (PromptEncoder[])[
            new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]), new(Small, ChatTemplate.Plain, [Id("<|endoftext|>")]), new(golden, ChatTemplate.Plain, [1, 2])])
        {
            Gen.Select(UnicodeText.Any, UnicodeText.Any).Sample(
                (prompt, response) =>
                {
                    EncodedExample example = encoder.Encode(prompt, response);
                    Assert.Equal(encoder.EncodePrompt(prompt), example.Prompt);
                    Assert.Equal(response, encoder.DecodeResponse(example.Response));
                    Assert.Equal(encoder.EndTokenId, example.Response[^1]);
                    TokenStreamDecoder decoder = encoder.CreateDecoder();
                    Assert.Equal(response, string.Concat(example.Response.Select(id => decoder.Append(id).ToString())) + decoder.Flush().ToString());
                },
                iter: 300,
                threads: 1);
        }
    }

    [Fact]
    public void Encode_MistralOnSentencePiece_GivesTextWithoutItsLeadingSpace()
    {
        ITextTokenizer tokenizer = GoldenTokenizerTests.Load("tokenizer.json");
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Mistral, [2]);

        EncodedExample example = encoder.Encode("Hi", "Once upon");

        Assert.Equal("Once upon", encoder.DecodeResponse(example.Response));
        Assert.Equal(1, example.Prompt[0]);
        Assert.Equal(2, example.Response[^1]);
    }

    private static string WithMerge(string left, string right)
    {
        System.Text.Json.Nodes.JsonNode json = System.Text.Json.Nodes.JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.Llama3Steps, merges: 0))!;
        (string first, string second) = (SmallTokenizer.Spell(left), SmallTokenizer.Spell(right));
        json["model"]!["vocab"]![first + second] = 256;
        json["model"]!["merges"] = new System.Text.Json.Nodes.JsonArray(new System.Text.Json.Nodes.JsonArray(first, second));
        return json.ToJsonString();
    }
}
