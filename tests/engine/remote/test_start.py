"""Which arms servers are found to have, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, BASE, FinishReason
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.errors import ModelError
from medinject_demo.serving import free_port

from ..laws import asked
from .asking import Connect, at, heard, refusing
from .served import Script, Scripted, scripted

NAT, TRAD = ARMS[:2]


class TestStart:
    def test_arms_that_are_not_served_are_left_out_and_said(self, server: Scripted, connect: Connect) -> None:
        engine = connect()
        assert engine.mixtures == (BASE, NAT, TRAD)
        assert engine.name == "vllm"
        assert len(engine.remarks) == 5
        assert f"Arm all is missing: {server.url} serves no model 'all'." in engine.remarks

    def test_the_first_name_that_is_served_is_taken(self, server: Scripted, connect: Connect) -> None:
        names = {BASE: ("absent", "base"), NAT: ("nat", "trad")}
        heard(connect(endpoints={arm: Endpoint(server.url, each) for arm, each in names.items()}), asked("oui", NAT))
        assert server.bodies[0]["model"] == "nat"

    def test_arms_of_several_servers_answer_in_one_stream(self, server: Scripted, connect: Connect) -> None:
        with scripted() as other:
            engine = connect(endpoints=at(server.url, "base") | at(other.url, "nat"))
            texts, _ = heard(engine, asked("oui"), asked("oui", NAT))
            assert texts == ["base dit œdème 💪 oui", "nat dit œdème 💪 oui"]
            assert (len(server.bodies), len(other.bodies)) == (1, 1)

    def test_one_server_that_is_down_leaves_the_others_their_arms(self, server: Scripted, connect: Connect) -> None:
        gone = f"http://127.0.0.1:{free_port()}/v1"
        engine = connect(endpoints=at(server.url, "base", "nat") | at(gone, "trad"))
        assert engine.mixtures == (BASE, NAT)
        assert engine.remarks[0].startswith(f"{gone}/models: ")

    @pytest.mark.parametrize(
        ("looks", "said"),
        [
            (refusing(401, "no key"), r"/models answered 401 Unauthorized: no key\. Set MEDINJECT_ENGINE_KEY"),
            (lambda exchange: exchange.answer(200, "<html>"), "answered what is no JSON: '<html>'"),
            (lambda exchange: exchange.answer(200, {"models": []}), "/models answered no list of models"),
            (lambda exchange: exchange.answer(200, {"data": []}), "Arm base is missing"),
        ],
    )
    def test_a_server_without_any_arm_is_refused_with_its_reason(
        self, server: Scripted, connect: Connect, looks: Script, said: str
    ) -> None:
        server.looks = looks
        with pytest.raises(ModelError, match=rf"expected at least one that is served, got none\..*{said}"):
            connect()

    def test_no_server_at_all_is_refused_with_its_address_and_no_password(self, connect: Connect) -> None:
        port = free_port()
        with pytest.raises(ModelError, match=f"http://127.0.0.1:{port}/v1/models: ") as refused:
            connect(endpoints=at(f"http://me:motdepasse@127.0.0.1:{port}/v1"))
        assert "motdepasse" not in str(refused.value)

    @pytest.mark.parametrize("field", ["name", "root", "answers"])
    def test_two_arms_of_one_model_are_refused(self, server: Scripted, connect: Connect, field: str) -> None:
        endpoints = at(server.url, "base", "nat")
        if field == "name":
            endpoints[NAT] = Endpoint(server.url, ("base",))
        if field == "root":
            server.cards = [{"id": name, "root": "/models/one"} for name in ("base", "nat")]
        if field == "answers":
            server.cards.append({"id": "copie"})
            endpoints |= {NAT: Endpoint(server.url, ("copie",)), TRAD: Endpoint(server.url, ("copie2",))}
            server.cards.append({"id": "copie2"})
        with pytest.raises(ModelError, match=r"expected answers that differ, got (one model|the same probabilities)"):
            connect(endpoints=endpoints)

    def test_a_server_without_probabilities_serves_and_says_what_was_not_checked(
        self, server: Scripted, connect: Connect
    ) -> None:
        server.weighs = refusing(400, "logprobs are not supported")
        engine = connect()
        assert "Whether arm nat differs was not checked: " in " ".join(engine.remarks)
        assert heard(engine, asked("oui"))[1][0].reason is FinishReason.STOP

    def test_fingerprints_follow_what_the_server_tells_and_not_the_time(
        self, server: Scripted, connect: Connect
    ) -> None:
        def prints(**card: object) -> str:
            server.cards = [{"id": "base", "owned_by": "vllm"} | card]
            return connect().fingerprint(BASE)

        assert prints(created=1) == prints(created=2)
        assert prints(root="/a") != prints(root="/b")
        assert prints().startswith("remote-")


class TestMagnitude:
    @pytest.fixture
    def dora(self, tmp_path: Path) -> Path:
        (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "use_dora": true}', encoding="utf-8")
        return tmp_path

    def test_a_module_whose_folder_holds_dora_is_refused_whoever_serves_it(
        self, server: Scripted, connect: Connect, dora: Path
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": "vllm", "root": str(dora), "parent": "base"}]
        with pytest.raises(
            ModelError, match=r"arm nat, model 'nat' of .*: expected full weights or a plain LoRA"
        ) as said:
            connect()
        assert f"got the DoRA adapter of {dora}, whose magnitude such a server would drop" in str(said.value)
        assert server.bodies == []

    @pytest.mark.parametrize("owner", ["", "tgi", "lorax"])
    def test_a_declared_dora_adapter_is_refused_at_a_server_that_may_drop_it(
        self, server: Scripted, connect: Connect, dora: Path, owner: str
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": owner}]
        with pytest.raises(ModelError, match="declare merged = true"):
            connect(endpoints=at(server.url, "nat", folder=dora))

    @pytest.mark.parametrize("owner", ["vllm", "sglang"])
    def test_a_server_that_refuses_dora_itself_serves_none(
        self, server: Scripted, connect: Connect, dora: Path, owner: str
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": owner}]
        assert connect(endpoints=at(server.url, "nat", folder=dora)).mixtures == (NAT,)

    def test_full_weights_have_no_magnitude_to_drop(self, server: Scripted, connect: Connect, dora: Path) -> None:
        server.cards = [{"id": "nat", "root": str(dora)}]
        assert connect(endpoints=at(server.url, "nat", folder=dora, merged=True)).mixtures == (NAT,)

    @pytest.mark.parametrize("card", [{"id": "group/nat"}, {"id": "nat", "root": "group/nat"}])
    def test_a_model_of_the_merged_checkpoints_name_is_full_weights(
        self, server: Scripted, connect: Connect, dora: Path, card: dict[str, str]
    ) -> None:
        server.cards = [dict(card)]
        endpoint = Endpoint(server.url, ("nat", "group/nat"), dora, checkpoint="group/nat")
        assert connect(endpoints={NAT: endpoint}).mixtures == (NAT,)

    @pytest.mark.parametrize("content", ['{"use_dora": false}', "[]", "{", ""])
    def test_a_plain_adapter_is_served(self, server: Scripted, connect: Connect, tmp_path: Path, content: str) -> None:
        (tmp_path / "adapter_config.json").write_text(content, encoding="utf-8")
        server.cards = [{"id": "nat", "root": str(tmp_path)}]
        assert connect(endpoints=at(server.url, "nat", folder=tmp_path)).mixtures == (NAT,)
